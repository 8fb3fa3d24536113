import { expect, it } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import type { FunctionHost } from '../../host.ts'
import { RuntimeClosing } from '../../invocation.ts'
import { containerHost } from './container-host.ts'
import type { PoolOptions } from './pool.ts'

const options = {} as PoolOptions
const env = {} as Bindings
const request = (): Request => new Request('http://localhost/')

/** A pool that notes what was asked of it. */
function recorded() {
  const calls: string[] = []
  let tell: (failure: unknown) => void = () => undefined
  let closed = false
  const pool: FunctionHost = {
    load: async () => void calls.push('load'),
    fetch: async () => {
      calls.push('fetch')
      if (closed) throw new RuntimeClosing('The runtime is closing.')
      return await Promise.resolve(new Response('ok'))
    },
    describe: async () => await Promise.resolve({ paths: {}, components: {}, routes: [] }),
    onStarted: (listener) => void (tell = listener),
    reload: async () => void calls.push('reload'),
    close: async () => {
      closed = true
      await Promise.resolve(calls.push('close'))
    },
  }
  return { pool, calls, told: (failure: unknown) => tell(failure) }
}

it('opens one pool, for the first that asks, however many ask at once', async () => {
  const { pool, calls } = recorded()
  let opened = 0
  const host = containerHost(options, async () => {
    opened++
    return await Promise.resolve(pool)
  })
  expect(opened).toBe(0)
  await Promise.all([host.load(), host.fetch(request(), env), host.fetch(request(), env), host.reload!()])
  expect(opened).toBe(1)
  expect(calls.toSorted()).toEqual(['fetch', 'fetch', 'load', 'reload'])
})

it('tells of starts whoever asked before or after the pool was there', async () => {
  const { pool, told } = recorded()
  const host = containerHost(options, async () => await Promise.resolve(pool))
  const seen: unknown[] = []
  host.onStarted!((failure) => seen.push(failure))
  await host.load()
  told('first')
  host.onStarted!((failure) => seen.push(`again ${String(failure)}`))
  told('second')
  expect(seen).toEqual(['first', 'again second'])
})

it('closes a pool that is opened meanwhile, and refuses as it does', async () => {
  const { pool, calls } = recorded()
  const opening = Promise.withResolvers<FunctionHost>()
  const host = containerHost(options, () => opening.promise)
  const answer = host.fetch(request(), env)
  const closing = host.close()
  opening.resolve(pool)
  await expect(answer).rejects.toThrow(RuntimeClosing)
  await closing
  expect(calls).toContain('close')
})

it('closes although what it is opening cannot be had', async () => {
  const opening = Promise.withResolvers<FunctionHost>()
  const host = containerHost(options, () => opening.promise)
  const answer = host.fetch(request(), env)
  const closing = host.close()
  opening.reject(new Error('EMFILE'))
  await expect(answer).rejects.toMatchObject({ code: 'unavailable' })
  await expect(closing).resolves.toBeUndefined()
})

it('opens nothing to close it', async () => {
  const host = containerHost(options, () => Promise.reject(new Error('opened')))
  await expect(host.close()).resolves.toBeUndefined()
})

it('counts no try whose code could not be loaded, and loads it again', async () => {
  const { pool } = recorded()
  let opens = 0
  const host = containerHost(options, async () => {
    if (opens++ === 0) throw new Error('EMFILE')
    return await Promise.resolve(pool)
  })
  const failures: unknown[] = []
  host.onStarted!((failure) => failures.push(failure))
  await expect(host.fetch(request(), env)).rejects.toMatchObject({ code: 'unavailable' })
  expect(failures).toEqual([new Error('EMFILE')])
  expect((await host.fetch(request(), env)).status).toBe(200)
})
