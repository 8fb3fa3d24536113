import { describe, expect, it } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { invoked, problemOf, TIMEOUT_MS } from '../test/runtime/handler.ts'
import { UNDO_MS } from './limits.ts'

describe('the deadline of an upload', () => {
  const upload = { method: 'POST', body: 'x' }

  it('moves on while bytes arrive', async () => {
    const done = Promise.withResolvers<void>()
    await using fn = await invoked(async () => {
      await done.promise
      return new Response('ok')
    })
    let bytes = 0
    let asked = 0
    const bytesRead = () => {
      // Five looks, each at a deadline: the upload takes five times as long as one may.
      if (++asked === 6) done.resolve()
      return (bytes += 1)
    }
    const response = await fn.call('/', upload, { bytesRead, bodyComplete: () => false })
    expect(response.status).toBe(200)
    expect(asked).toBeGreaterThanOrEqual(6)
  })

  it('counts as moved on as soon as they arrive', async () => {
    let bytes = 7
    let before = 0
    await using fn = await invoked(({ invocation }) => {
      before = invocation.deadline
      bytes++
      return new Response(String(invocation.deadline))
    })
    const response = await fn.call('/', upload, { bytesRead: () => bytes, bodyComplete: () => false })
    const gainedMs = Number(await response.text()) - before
    expect(gainedMs).toBeGreaterThanOrEqual(TIMEOUT_MS - 1)
    expect(gainedMs).toBeLessThanOrEqual(TIMEOUT_MS + 1)
  })

  it('may be undone for a while when they stop, and then no more', async () => {
    const done = Promise.withResolvers<Bindings>()
    await using fn = await invoked(async (env) => {
      await new Promise((resolve) => env.invocation.signal.addEventListener('abort', resolve))
      await env.tasks.writeCursor('undone', 'yes')
      done.resolve(env)
      return new Response()
    })
    const stopped = await fn.call('/', { method: 'POST', body: 'x' }, { bytesRead: () => 7, bodyComplete: () => false })
    expect(stopped.status).toBe(408)
    const env = await done.promise
    expect(await fn.bindings.tasks.readCursor('undone')).toBe('yes')
    const call = async (): Promise<string> =>
      await env.tasks.writeCursor('late', 'yes').then(
        () => 'open',
        (error: Error) => error.name,
      )
    await expect.poll(call, { timeout: 3 * UNDO_MS }).toBe('InvocationEnded')
  })

  it('is 408 with Connection: close when they stop, 504 when the body is there and the function hangs', async () => {
    await using fn = await invoked(async () => await new Promise<never>(() => undefined))
    const stopped = await fn.call('/', upload, { bytesRead: () => 7, bodyComplete: () => false })
    expect(stopped.headers.get('connection')).toBe('close')
    expect(await problemOf(stopped)).toEqual([408, 'request-timeout'])
    const complete = await fn.call('/', upload, { bytesRead: () => 7, bodyComplete: () => true })
    expect(await problemOf(complete)).toEqual([504, 'deadline-exceeded'])
  })
})
