import { describe, expect, it } from 'vitest'
import type { Bindings, Invocation } from '#shared/bindings.ts'
import { NOT_RUN_HEADER, verdictOf } from '#shared/verdict.ts'
import { originalKey } from '#shared/variant.ts'
import { invoked, problemOf, TIMEOUT_MS } from '../test/runtime/handler.ts'
import { until } from '../test/runtime/until.ts'
import { testTask } from '../test/tasks.ts'

/** A body that tells when it is cancelled. */
function watchedBody() {
  const cancelled = Promise.withResolvers<void>()
  const body = new ReadableStream<Uint8Array>({ cancel: () => cancelled.resolve() })
  return { body, cancelled: cancelled.promise }
}

describe('an inline function', () => {
  it('that throws is a 500, which says nothing of why, and runs again', async () => {
    await using fn = await invoked(() => {
      throw new Error('in /secret/place')
    })
    for (let i = 0; i < 2; i++) {
      const response = await fn.call('/')
      const text = await response.clone().text()
      expect(await problemOf(response)).toEqual([500, 'internal-error'])
      expect(text).not.toMatch(/secret|\bat /)
    }
    const line = await fn.line('the reason', ({ msg }) => msg === 'function threw')
    expect(line.err).toMatchObject({ message: 'in /secret/place' })
  })

  it('whose host throws is a 500 with the reason in the log', async () => {
    await using fn = await invoked(() => new Response('ok'))
    fn.fn.host.fetch = async () => await Promise.reject(new TypeError('no app'))
    expect(await problemOf(await fn.call('/'))).toEqual([500, 'internal-error'])
    const line = await fn.line('its own', ({ msg }) => msg === 'invocation')
    expect(line).toMatchObject({ level: 50, status: 500, err: { message: 'no app' } })
  })

  it('that never returns is a 504, its slot is free again, and the metrics say so', async () => {
    await using fn = await invoked(async () => await new Promise<never>(() => undefined), { concurrency: 1 })
    expect(await problemOf(await fn.call('/'))).toEqual([504, 'deadline-exceeded'])
    expect(await problemOf(await fn.call('/'))).toEqual([504, 'deadline-exceeded'])
    expect(fn.fn.running).toBe(0)
    const metrics = await (await fn.metrics.registry()).metrics()
    expect(metrics).toContain('faas_timeouts_total{function="test"} 2')
    expect(metrics).toContain('faas_errors_total{function="test"} 2')
    expect(metrics).toContain('faas_invocations_total{function="test",trigger="http",status="504"} 2')
    expect(metrics).toContain('faas_invocations_in_flight{function="test"} 0')
  })

  it('knows its deadline from its first line on', async () => {
    let seen: Invocation | undefined
    await using fn = await invoked((env) => {
      seen = { ...env.invocation, deadline: env.invocation.deadline }
      return new Response('ok')
    })
    const before = Date.now()
    await fn.call('/')
    expect(seen!.deadline).toBeGreaterThanOrEqual(before + TIMEOUT_MS)
    expect(seen!.deadline).toBeLessThanOrEqual(Date.now() + TIMEOUT_MS)
  })

  it('is told by its signal, and lets go of what answers too late', async () => {
    const { body, cancelled } = watchedBody()
    await using fn = await invoked(async ({ invocation }) => {
      await new Promise((resolve) => invocation.signal.addEventListener('abort', resolve))
      return new Response(body)
    })
    expect((await fn.call('/')).status).toBe(504)
    await cancelled
  })

  it('hears that its client is gone, and keeps its bindings', async () => {
    const leaving = new AbortController()
    const done = Promise.withResolvers<string>()
    await using fn = await invoked(
      async ({ invocation, tasks }) => {
        const aborted = new Promise((resolve) => invocation.signal.addEventListener('abort', resolve))
        leaving.abort()
        await aborted
        await tasks.writeCursor('left', 'written')
        done.resolve('written')
        return new Response('nobody reads this')
      },
      { timeoutMs: 10_000 },
    )
    await fn.call('/', { signal: leaving.signal })
    expect(await done.promise).toBe('written')
  })
})

describe('an inline function that goes on after its 504', () => {
  const key = originalKey('0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee', 'jpeg')
  const message = { queue: 'q', id: 'm', type: 't', subject: 's', time: '', data: {} }
  const writes: [string, (env: Bindings) => unknown][] = [
    ['tasks', (env) => env.tasks.create(testTask(), message)],
    ['a cursor', (env) => env.tasks.writeCursor('late', 'x')],
    ['blobs', (env) => env.blobs.put(key, new Uint8Array(1))],
    ['the queue', (env) => env.queue.send(message)],
    ['the cache', (env) => env.cache.set('late', 1, 1_000)],
    [
      'a fetch',
      (env) => env.fetch.request('https://a.example', { method: 'GET', signal: new AbortController().signal }),
    ],
    ['links', (env) => env.links.of(testTask())],
    ['changes', (env) => env.tasks.changes('x', new AbortController().signal)],
  ]

  it.each(writes)('is refused: %s', async (_what, write) => {
    const outcome = Promise.withResolvers<unknown>()
    await using fn = await invoked(async (env) => {
      // Taken before the deadline: what was closed is not the getter, but each method.
      const held = { ...env, tasks: env.tasks, blobs: env.blobs, queue: env.queue, cache: env.cache }
      const own: Bindings = { ...held, fetch: env.fetch, links: env.links }
      await new Promise((resolve) => env.invocation.signal.addEventListener('abort', resolve))
      try {
        outcome.resolve(await write(own))
      } catch (error) {
        outcome.resolve((error as Error).name)
      }
      return new Response()
    })
    expect((await fn.call('/')).status).toBe(504)
    expect(await outcome.promise).toBe('InvocationEnded')
    expect(fn.bindings.queue.sent).toEqual([])
    expect(await fn.bindings.tasks.readCursor('late')).toBe(null)
    expect(await fn.bindings.cache.get('late')).toBeUndefined()
    expect(await fn.bindings.blobs.get(key)).toBe(null)
  })

  it.each([
    ['with no signal of its own', undefined],
    ['with a signal of its own', new AbortController().signal],
  ])('leaves no blob that was under way, put %s', async (_what, signal) => {
    const outcome = Promise.withResolvers<unknown>()
    const late = Promise.withResolvers<void>()
    async function* slow() {
      yield new Uint8Array(10)
      await late.promise
      yield new Uint8Array(10)
    }
    await using fn = await invoked(async (env) => {
      env.blobs.put(key, slow(), signal).then(outcome.resolve, outcome.resolve)
      return await new Promise<never>(() => undefined)
    })
    expect((await fn.call('/')).status).toBe(504)
    late.resolve()
    expect(await outcome.promise).toBeInstanceOf(Error)
    expect(await fn.bindings.blobs.get(key)).toBe(null)
  })
})

describe('slots', () => {
  it('beyond them: 503 with Retry-After, marked as not run; the function is not called', async () => {
    const free = Promise.withResolvers<void>()
    let runs = 0
    await using fn = await invoked(
      async () => {
        runs++
        await free.promise
        return new Response('ok')
      },
      { concurrency: 2, timeoutMs: 10_000 },
    )
    const first = [fn.call('/'), fn.call('/')]
    await until('both run', () => runs === 2)
    const refused = await fn.call('/')
    expect([refused.headers.get('retry-after'), refused.headers.has(NOT_RUN_HEADER)]).toEqual(['1', true])
    expect(verdictOf(refused)).toMatchObject({ kind: 'retry', counted: false, afterMs: 1_000 })
    expect(await problemOf(refused)).toEqual([503, 'unavailable'])
    free.resolve()
    await Promise.all(first)
    expect(runs).toBe(2)
    expect((await fn.call('/')).status).toBe(200)
  })
})
