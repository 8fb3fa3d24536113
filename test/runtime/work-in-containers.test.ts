import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isAlive } from './child.ts'
import { startTestRuntime, type TestRuntime } from './runtime.ts'
import { until } from './until.ts'

async function sendWork(server: TestRuntime, done: string): Promise<string> {
  const response = await server.fetch('/inline/send?queue=render', {
    method: 'POST',
    body: JSON.stringify({ until: done }),
  })
  return ((await response.json()) as { subject: string }).subject
}

async function pidAtWork(server: TestRuntime, attempt: number): Promise<number> {
  const line = await server.line(`attempt ${attempt}`, (one) => one.msg === 'render begins' && one.attempt === attempt)
  return Number(line.pid)
}

describe('a queue function in a container', () => {
  it('that is killed in mid-work gets its message again, in another container', async () => {
    await using server = await startTestRuntime({ names: ['inline', 'render'] })
    const done = join(server.folder, 'done')
    const subject = await sendWork(server, done)
    const first = await pidAtWork(server, 1)
    process.kill(first, 'SIGKILL')
    const second = await pidAtWork(server, 2)
    expect(second).not.toBe(first)
    await writeFile(done, '')
    const end = await server.line('its end', (line) => line.msg === 'invocation' && line.status === 204)
    expect(end).toMatchObject({ function: 'render', task: subject, attempt: 2 })
    const lost = server.lines.find((line) => line.msg === 'invocation' && line.status === 502)
    expect(lost).toMatchObject({ function: 'render', task: subject, attempt: 1 })
  })

  it('leaves no process when the runtime closes, though it is at work', async () => {
    const server = await startTestRuntime({ names: ['inline', 'render'], env: { DRAIN_MS: '0' } })
    await sendWork(server, join(server.folder, 'never'))
    const pid = await pidAtWork(server, 1)
    await server[Symbol.asyncDispose]()
    expect(await until('it is gone', () => !isAlive(pid))).toBe(true)
  })
})

describe('a function in a container', () => {
  it.each([
    ['asks for nothing that its config does not name', false, 'tasks.get is not among the calls that config.ts names'],
    ['asks for all in development only where it runs inline otherwise', true, 'tasks.get is not among'],
  ])('%s', async (_what, dev, refusal) => {
    await using server = await startTestRuntime({ names: ['probe', 'inline'], dev })
    expect(await (await server.fetch('/probe/error/x')).text()).toContain(refusal)
    const sent = await server.fetch('/inline/send?queue=elsewhere', { method: 'POST', body: '{}' })
    expect(sent.status).toBe(202)
  })
})
