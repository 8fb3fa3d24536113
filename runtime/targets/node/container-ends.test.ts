import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isAlive } from '../../../test/runtime/child.ts'
import { containedFunction, type InvokedFunction } from '../../../test/runtime/function.ts'
import { until } from '../../../test/runtime/until.ts'

const TIMEOUT_MS = 300

describe('a container that fails', () => {
  let probe: InvokedFunction
  beforeAll(async () => {
    probe = await containedFunction('probe', { timeoutMs: 20_000 })
    await probe.fn.host.load()
  })
  afterAll(async () => await probe[Symbol.asyncDispose]())

  /** A call with a short deadline, in a container that is warm: a start takes as long as the machine wants. */
  async function callBriefly(path: string, init?: RequestInit): Promise<Response> {
    await (await probe.call('/probe/ok')).text()
    return await callAtOnce(path, init)
  }
  async function callAtOnce(path: string, init?: RequestInit): Promise<Response> {
    probe.fn.config.timeoutMs = TIMEOUT_MS
    const response = probe.call(path, init)
    probe.fn.config.timeoutMs = 20_000
    return await response
  }
  /** Lets the body go: one that nobody reads holds its container. */
  async function statusOf(path: string): Promise<number> {
    const response = await callAtOnce(path)
    await response.body?.cancel()
    return response.status
  }
  async function pidOf(): Promise<number> {
    return Number(await (await probe.call('/probe/pid')).text())
  }
  /** How soon is a row of `npm run bench`. */
  async function expectRecovery(): Promise<void> {
    const response = await probe.call('/probe/ok')
    expect([response.status, await response.text()]).toEqual([200, 'ok'])
  }

  it.each([
    ['throws', '/probe/throw', 500, 'internal-error', 'kept'],
    ['never returns', '/probe/hang', 504, 'deadline-exceeded', 'replaced'],
    ['spins the CPU', '/probe/spin', 504, 'deadline-exceeded', 'replaced'],
    ['stops only at its deadline', '/probe/polite', 504, 'deadline-exceeded', 'replaced'],
    ['calls process.exit', '/probe/exit', 502, 'function-died', 'replaced'],
    ['calls process.abort', '/probe/abort', 502, 'function-died', 'replaced'],
    ['is killed in mid-work', '/probe/kill', 502, 'function-died', 'replaced'],
    ['disconnects its channel', '/probe/disconnect', 502, 'function-died', 'replaced'],
    ['says null', '/probe/nonsense?say=null', 502, 'function-died', 'replaced'],
  ])('that %s', async (_what, path, status, code, fate) => {
    const before = await pidOf()
    const response = status === 504 ? await callBriefly(path) : await probe.call(path)
    expect(response.status).toBe(status)
    const text = await response.text()
    expect(JSON.parse(text)).toMatchObject({ code, status })
    expect(text).not.toMatch(/secret|node_modules|\.ts|\bat /)
    await expectRecovery()
    if (fate === 'replaced') await until('the old one is gone', () => !isAlive(before))
    expect((await pidOf()) === before).toBe(fate === 'kept')
    expect(await probe.line('its own', (line) => line.msg === 'invocation' && line.status === status)).toBeTruthy()
  })

  it.each([
    { type: 'note', invocation: '$', note: { log: 'nothing', message: 'x' } },
    { type: 'note', invocation: '$', note: { measure: ['no_such_metric', 1, {}] } },
    { type: 'note', invocation: '$', note: null },
  ])('that says nonsense of its own invocation: %j', async (message) => {
    const response = await probe.call(`/probe/nonsense?say=${encodeURIComponent(JSON.stringify(message))}`)
    expect(response.status).toBe(502)
    await expectRecovery()
  })

  it('fails its body when it dies after its answer began, and is replaced', async () => {
    const response = await probe.call('/probe/half')
    expect(response.status).toBe(200)
    await expect(response.arrayBuffer()).rejects.toThrow('The container ended in mid-answer.')
    await expectRecovery()
  })

  it('that spins after its answer is found out by the next request, and replaced', async () => {
    const first = await probe.call('/probe/spin-later')
    expect(await first.text()).toBe('spinning soon')
    await until('a request finds it spinning', async () => (await statusOf('/probe/ok')) === 504)
    await expectRecovery()
  })

  it('takes the next request while the one past its deadline still stops', async () => {
    const before = await pidOf()
    expect((await callBriefly('/probe/hang')).status).toBe(504)
    // Not waited for: the old one is alive for CONTAINER_STOP_MS, and takes nothing more.
    expect(isAlive(before)).toBe(true)
    expect(await pidOf()).not.toBe(before)
  })

  it('is not killed by a client that leaves, but by its deadline', async () => {
    const leaving = new AbortController()
    const before = await pidOf()
    const call = callBriefly('/probe/hang?tell', { signal: leaving.signal })
    await probe.line('it runs', (line) => line.msg === 'hanging' && line.invocation !== undefined)
    leaving.abort()
    const response = await call
    expect(response.status).toBe(499)
    expect(isAlive(before)).toBe(true)
    await until('its deadline ends it', () => !isAlive(before))
    await expectRecovery()
  })

  it('never runs a request whose time went by while it waited for a container', async () => {
    const answers = await Promise.all([callBriefly('/probe/hang'), callBriefly('/probe/hang?tell')])
    expect(answers.map(({ status }) => status)).toEqual([504, 504])
    const told = probe.lines.filter((line) => line.msg === 'hanging').length
    // Behind the other in the queue for the container that replaces the spoiled one.
    await expectRecovery()
    expect(probe.lines.filter((line) => line.msg === 'hanging').length).toBe(told)
  })
})

describe('a function whose index.ts is broken', () => {
  it.each([
    ['broken-import', /no_such_package/],
    ['broken-throws', /^it throws when it is loaded$/],
    ['broken-export', /^index\.ts must export a Hono app as its default/],
    ['broken-missing', /Cannot find module/],
    ['broken-exits', /^the container ended while it was starting$/],
  ])('%s: is reported with its reason', async (name, reason) => {
    await using broken = await containedFunction(name)
    await expect(broken.fn.host.load()).rejects.toThrow(reason)
    expect((await broken.call('/')).status).toBe(503)
  })

  it('broken-queue: a queue function without POST / is one', async () => {
    await using broken = await containedFunction('broken-queue', { trigger: 'queue' })
    await expect(broken.fn.host.load()).rejects.toThrow('index.ts of a queue function must answer POST /')
  })

  it('broken-hangs: one that is never ready is given up, and leaves no process', async () => {
    await using broken = await containedFunction('broken-hangs', { pool: { startMs: 300 } })
    await expect(broken.fn.host.load()).rejects.toThrow('not ready within 300 ms')
  })
})
