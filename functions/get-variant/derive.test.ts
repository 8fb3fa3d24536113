/** WebP and AVIF on demand. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { giveUp } from '#shared/given-up.ts'
import { DERIVE_WAIT_MS } from '#shared/limits.ts'
import { testBindings, testInvocation, testSettings, type TestBindings } from '../../test/bindings.ts'
import { completedTask, derive, testTask, variantBytes, variantSpec } from '../../test/tasks.ts'
import app from './index.ts'

const ask = async (env: Bindings, id: string, query = '', Accept = 'image/webp,*/*', method = 'GET') =>
  await app.request(`/tasks/${id}/variants/800x800${query}`, { method, headers: { Accept } }, env)

const JPEG = variantBytes('800x800', 'jpeg').toString()
const WEBP = variantBytes('800x800', 'webp').toString()
const AVIF = variantBytes('800x800', 'avif').toString()

/** A queue whose every message is worked on as soon as it is sent; one of an id that was there is none. */
function deriving(env: TestBindings) {
  const send = async (message: Parameters<Bindings['queue']['send']>[0]): Promise<void> => {
    const before = env.queue.sent.length
    await env.queue.send(message)
    if (env.queue.sent.length === before) return
    const { variant, format } = message.data as { variant: string; format: 'webp' | 'avif' }
    setImmediate(() => void derive(env, message.subject, variant, format))
  }
  return { ...env, queue: { ...env.queue, send } }
}

/** Lets DERIVE_WAIT_MS pass at once, as soon as the answer waits for it. */
async function afterTheWait(answer: () => Promise<Response>): Promise<Response> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const response = answer()
    // Not waitUntil, which moves the clock itself.
    while (vi.getTimerCount() === 0) await nextTurn()
    await vi.advanceTimersByTimeAsync(DERIVE_WAIT_MS - 1)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    return await response
  } finally {
    vi.useRealTimers()
  }
}

test('what is recorded is served as a file of its own, and nothing is sent', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const { sha256 } = await derive(env, id, '800x800', 'webp')
  env.queue.sent.length = 0
  const response = await ask(env, id)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('image/webp')
  expect(response.headers.get('etag')).toBe(`"${sha256}"`)
  expect(response.headers.get('vary')).toBe('Accept')
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  expect(await response.text()).toBe(WEBP)
  expect(env.queue.sent).toEqual([])
})

test('what is not there is asked for once, waited for, and served', async () => {
  await using bindings = await testBindings()
  const { id } = await completedTask(bindings)
  const env = deriving(bindings)
  bindings.queue.sent.length = 0
  const answers = await Promise.all([ask(env, id), ask(env, id), ask(env, id, '', 'image/avif')])
  expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual([WEBP, WEBP, AVIF])
  expect(bindings.queue.sent).toMatchObject([
    {
      id: `${id}.800x800.webp`,
      type: 'variant.wanted',
      queue: 'image-processing',
      data: { variant: '800x800', format: 'webp' },
      traceparent: bindings.invocation.traceparent,
    },
    { id: `${id}.800x800.avif` },
  ])
})

test('a task that was cached before the encoding was recorded does not send for it again', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  await (await ask(env, id, '', '*/*')).body!.cancel()
  await derive(env, id, '800x800', 'webp')
  env.queue.sent.length = 0
  expect(await (await ask(env, id)).text()).toBe(WEBP)
  expect(env.queue.sent).toEqual([])
})

test('not in time: the JPEG, which no cache may pin', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const response = await afterTheWait(() => ask(env, id))
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('image/jpeg')
  expect(response.headers.get('cache-control')).toBe('public, max-age=60')
  expect(response.headers.get('vary')).toBe('Accept')
  expect(await response.text()).toBe(JPEG)
})

test('queue down: the JPEG at once', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const send = async (): Promise<never> => {
    throw new Error('connection refused')
  }
  const response = await ask({ ...env, queue: { ...env.queue, send } }, id)
  expect(response.headers.get('cache-control')).toBe('public, max-age=60')
  expect(await response.text()).toBe(JPEG)
  const fixed = await ask({ ...env, queue: { ...env.queue, send } }, id, '?format=webp')
  expect(fixed.status).toBe(503)
  expect(fixed.headers.get('retry-after')).toBe('1')
  expect(await fixed.json()).toMatchObject({ code: 'unavailable' })
})

test('?format fixes the format and needs no Vary', async () => {
  await using bindings = await testBindings()
  const { id } = await completedTask(bindings)
  const env = deriving(bindings)
  for (const [query, type, bytes] of [
    ['?format=webp', 'image/webp', WEBP],
    ['?format=avif', 'image/avif', AVIF],
    ['?format=jpeg', 'image/jpeg', JPEG],
  ] as const) {
    const response = await ask(env, id, query, 'image/jpeg;q=0.5,image/avif,image/webp')
    expect(response.headers.get('vary')).toBeNull()
    expect(response.headers.get('content-type')).toBe(type)
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(await response.text()).toBe(bytes)
  }
})

test('a fixed format is never another one: 503 when it is not in time', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const response = await afterTheWait(() => ask(env, id, '?format=avif'))
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('1')
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await response.json()).toMatchObject({ code: 'unavailable' })
})

test.each([
  ['lost', 404, 'not-found'],
  ['failed', 409, 'processing-failed'],
] as const)('what was given up as %s is not waited for again: %i %s', async (why, status, code) => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const encoding = { taskId: id, variant: '800x800', format: 'webp' } as const
  const send = async (): Promise<void> => await giveUp(env.cache, encoding, why)
  const first = await afterTheWait(() => ask({ ...env, queue: { ...env.queue, send } }, id, '?format=webp'))
  expect([first.status, first.headers.get('cache-control')]).toEqual([status, 'no-store'])
  env.queue.sent.length = 0
  const again = await ask(env, id, '?format=webp')
  expect(again.status).toBe(status)
  expect(await again.json()).toMatchObject({ code })
  // Who takes either gets the JPEG, and may ask for the other in a minute.
  const either = await ask(env, id)
  expect([either.headers.get('content-type'), either.headers.get('cache-control')]).toEqual([
    'image/jpeg',
    'public, max-age=60',
  ])
  expect(await either.text()).toBe(JPEG)
  expect(env.queue.sent).toEqual([])
})

test('what was given up and made after all is served', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  await giveUp(env.cache, { taskId: id, variant: '800x800', format: 'webp' }, 'failed')
  await derive(env, id, '800x800', 'webp')
  expect(await (await ask(env, id, '?format=webp')).text()).toBe(WEBP)
})

test.for(['webp', 'avif', 'png'] as const)('a %s variant is had as it is, and as nothing else', async (format) => {
  await using env = await testBindings()
  const { options } = testTask()
  const { id } = await completedTask(env, { options: { ...options, variants: [variantSpec('800x800', { format })] } })
  env.queue.sent.length = 0
  const own = await ask(env, id, '', 'image/jpeg, image/webp, image/avif')
  expect(own.headers.get('content-type')).toBe(`image/${format}`)
  expect(own.headers.get('vary')).toBeNull()
  await own.body!.cancel()
  for (const other of ['webp', 'avif', 'jpeg'] as const) {
    const response = await ask(env, id, `?format=${other}`)
    expect(response.status).toBe(other === format ? 200 : 400)
    await response.body!.cancel()
  }
  expect(env.queue.sent).toEqual([])
})

test('NEGOTIATE=off: Accept counts for nothing, ?format still does', async () => {
  await using bindings = await testBindings({ settings: testSettings({ negotiate: false }) })
  const { id } = await completedTask(bindings)
  const env = deriving(bindings)
  const response = await ask(env, id)
  expect(response.headers.get('content-type')).toBe('image/jpeg')
  expect(response.headers.get('vary')).toBeNull()
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  await response.body!.cancel()
  expect(await (await ask(env, id, '?format=webp')).text()).toBe(WEBP)
})

test('404 when the task is deleted while its encoding is waited for', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const send = async (): Promise<void> => {
    setImmediate(() => void env.tasks.delete(id))
  }
  expect((await ask({ ...env, queue: { ...env.queue, send } }, id)).status).toBe(404)
})

test('HEAD says what GET would, and opens nothing', async () => {
  await using bindings = await testBindings()
  const { id } = await completedTask(bindings)
  const env = deriving(bindings)
  const get = async (): Promise<never> => {
    throw new Error('opened')
  }
  const response = await ask({ ...env, blobs: { ...env.blobs, get } }, id, '', 'image/webp', 'HEAD')
  expect(response.headers.get('content-type')).toBe('image/webp')
  expect(response.body).toBeNull()
})

test('a client that left is not waited for', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const gone = new AbortController()
  gone.abort()
  const invocation = testInvocation({ signal: gone.signal })
  const response = await ask({ ...env, invocation }, id)
  expect(response.headers.get('content-type')).toBe('image/jpeg')
  await response.body!.cancel()
})
