/** What a process has logged reaches Loki, however the process ends: stdout says what there was. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makePicture } from '../../cli/picture.ts'
import { LONG_MS, serve, temporaryFolder } from '../drain/serving.ts'
import { until } from '../runtime/until.ts'
import { freePort, testLoki } from './loki.ts'

const anew = (line: string): string => JSON.stringify(JSON.parse(line))

function environment(folder: string, port: number, service = 'api-backend'): Record<string, string> {
  const LOKI_URL = `http://127.0.0.1:${port}`
  return { LOKI_URL, LOG_SPOOL_PATH: join(folder, 'logs'), OTEL_SERVICE_NAME: service }
}

describe('the log of a process', { timeout: 3 * LONG_MS }, () => {
  test('that is killed while Loki is down is there when both are back', async () => {
    await using folder = await temporaryFolder()
    const port = await freePort()
    const told: string[] = []
    for (let round = 0; round < 3; round++) {
      await using killed = await serve(folder.path, environment(folder.path, port))
      const requests = Array.from({ length: 100 }, () => fetch(`${killed.url}/tasks`).catch(() => null))
      // In the middle of its work: some are answered, and some will never be.
      await until('lines', () => killed.log().length > 20, LONG_MS)
      killed.kill('SIGKILL')
      await Promise.all([killed.ended, ...requests])
      told.push(...killed.log().map((line) => JSON.stringify(line)))
    }
    expect(told.length).toBeGreaterThan(60)
    await using loki = await testLoki(port)
    await using next = await serve(folder.path, environment(folder.path, port))
    const there = async (): Promise<string[]> => {
      const lines = new Set(loki.lines().map(anew))
      return told.filter((line) => !lines.has(line))
    }
    await until('all lines', async () => (await there()).length === 0, LONG_MS).catch(() => undefined)
    expect(await there()).toEqual([])
    // One after the other they had the same number, so there is one stream for each level and function.
    expect(new Set(loki.taken.map(({ labels }) => `${labels['service']} ${labels['replica']}`))).toEqual(
      new Set(['api-backend 0']),
    )
    next.kill('SIGKILL')
  })

  test('is handed over to the last line when it drains, and is found by task and trace', async () => {
    await using folder = await temporaryFolder()
    await using loki = await testLoki()
    const env = environment(folder.path, loki.port)
    await using serving = await serve(folder.path, env)
    const form = new FormData()
    form.set('image', new Blob([new Uint8Array(await makePicture())]), 'a.jpg')
    const headers = { Prefer: 'wait=30' }
    const response = await fetch(`${serving.url}/tasks`, { method: 'POST', body: form, headers })
    const { id } = (await response.json()) as { id: string }
    await until('the worker', () =>
      serving.log().some((line) => line['function'] === 'process-image' && line['status']),
    )
    await serving.drain()
    expect(await serving.ended).toBe(0)
    expect(loki.lines().map(anew)).toEqual(serving.log().map((line) => JSON.stringify(line)))
    const lines = loki.lines().map((line) => JSON.parse(line) as Record<string, unknown>)
    const ofTask = lines.filter(({ task, msg }) => task === id && msg === 'invocation')
    expect(ofTask.map((line) => line['function'])).toEqual(expect.arrayContaining(['create-task', 'process-image']))
    expect(new Set(ofTask.map(({ trace }) => trace)).size).toBe(1)
  })
})
