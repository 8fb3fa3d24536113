import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KIB, MIB } from '#shared/limits.ts'
import { containedFunction, type InvokedFunction, sha256 } from '../../../test/runtime/function.ts'
import { until } from '../../../test/runtime/until.ts'

describe('a container, spoken to as Fetch', () => {
  let probe: InvokedFunction
  beforeAll(async () => {
    probe = await containedFunction('probe', { timeoutMs: 10_000 })
  })
  afterAll(async () => await probe[Symbol.asyncDispose]())

  it('carries a body both ways, whatever its bytes', async () => {
    const bytes = randomBytes(3 * MIB + 1)
    const response = await probe.call('/probe/echo', { method: 'POST', body: bytes })
    expect(response.status).toBe(200)
    expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(sha256(bytes))
  })

  it('answers HEAD, 204 and 205 without a body, and is free again', async () => {
    const head = await probe.call('/probe/large?kib=4', { method: 'HEAD' })
    expect([head.status, head.body, await head.text()]).toEqual([200, null, ''])
    for (const [path, status] of [
      ['/probe/empty', 204],
      ['/probe/reset', 205],
    ] as const) {
      const response = await probe.call(path)
      expect([response.status, response.body]).toEqual([status, null])
    }
    expect(await (await probe.call('/probe/ok')).text()).toBe('ok')
  })

  it('carries many headers both ways, and several cookies', async () => {
    const many = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`x-sent-${i}`, String(i)]))
    const response = await probe.call('/probe/headers', { headers: { ...many, connection: 'keep-alive' } })
    expect(response.status).toBe(200)
    const received = (await response.json()) as Record<string, string>
    expect(received['x-sent-149']).toBe('149')
    expect(received).not.toHaveProperty('connection')
    expect(response.headers.get('x-many-199')).toBe('199')
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect([...response.headers.keys()].filter((name) => name.startsWith('x-revela'))).toEqual([])
  })

  it('shows the function no credential of its caller', async () => {
    const sent = {
      authorization: 'Bearer s',
      'x-api-key': 's',
      cookie: 's=1',
      'proxy-authorization': 's',
      'x-mine': '1',
    }
    const received: unknown = await (await probe.call('/probe/headers', { headers: sent })).json()
    expect(received).toMatchObject({ 'x-mine': '1' })
    for (const name of Object.keys(sent).slice(0, -1)) expect(received).not.toHaveProperty(name)
  })

  it('sends a long answer whole to a request whose body nobody reads', async () => {
    const cancelled = Promise.withResolvers<void>()
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(16 * KIB)),
      cancel: () => cancelled.resolve(),
    })
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    const response = await probe.call('/probe/unread?kib=1024', init)
    expect((await response.text()).length).toBe(MIB)
    await cancelled.promise
    expect(await (await probe.call('/probe/ok')).text()).toBe('ok')
  })

  it('tells the function when a streamed answer is cancelled, and is free again', async () => {
    const response = await probe.call('/probe/endless')
    const reader = response.body!.getReader()
    expect((await reader.read()).value?.length).toBe(KIB)
    await reader.cancel()
    await until('the function hears of it', async () => (await (await probe.call('/probe/cancelled')).text()) === '1')
  })

  it('reports what kind of problem the function answered', async () => {
    const response = await probe.call('/probe/problem')
    expect([response.status, response.headers.get('retry-after')]).toEqual([409, '7'])
    expect(await response.json()).toMatchObject({ code: 'task-not-finished', detail: 'not yet' })
  })

  it('tells the function who asks, which attempt it is, and until when', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const context = { attempt: 3, traceparent, caller: { kind: 'key', keyId: 'abc' } } as const
    const response = await probe.call('/probe/env', {}, context)
    const { invocation } = (await response.json()) as { invocation: Record<string, number> }
    expect(invocation).toMatchObject(context)
    expect(invocation.deadline! - invocation.now!).toBeGreaterThan(5_000)
    expect(invocation.deadline! - invocation.now!).toBeLessThanOrEqual(10_000)
  })
})
