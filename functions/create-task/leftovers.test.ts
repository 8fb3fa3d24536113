/** Whatever goes wrong on the way, nothing stays: no file, no folder, no descriptor, no task, no message. */
import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BlobStore, TaskStore } from '#shared/bindings.ts'
import { unavailable } from '#shared/errors.ts'
import { KIB } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { FORM, formBytes, imagePart, post, postForm, problemOf, slices, streamOf, taskOf } from './requests.fixture.ts'

const jpeg = await picture({ width: 1_600, height: 1_200, quality: 98 })
const form = formBytes([imagePart(jpeg)])

async function openFiles(folder: string): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd')
  const paths = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))
  return paths.filter((path) => path.startsWith(folder))
}

async function nothingLeft(env: TestBindings): Promise<void> {
  expect(await readdir(join(env.folder, 'input')).catch(() => [])).toEqual([])
  expect(await readdir(join(env.folder, 'output')).catch(() => [])).toEqual([])
  expect(await openFiles(env.folder)).toEqual([])
  expect(env.queue.sent).toEqual([])
  expect(await env.tasks.list({ limit: 1 })).toEqual([])
}

/** Sends half of the bytes, then waits; `reached` resolves when the half was taken. */
function halfOf(bytes: Uint8Array) {
  const reached = Promise.withResolvers<void>()
  const rest = Promise.withResolvers<void>()
  const body = streamOf(
    (async function* () {
      yield* slices(bytes.subarray(0, bytes.length / 2), 16 * KIB)
      reached.resolve()
      await rest.promise
      yield* slices(bytes.subarray(bytes.length / 2), 16 * KIB)
    })(),
  )
  return { body, reached: reached.promise, rest }
}

const KINDS = [
  ['raw', jpeg, 'image/jpeg'],
  ['a form', form, FORM],
] as const

test.each(KINDS)('%s: a sender that goes away', async (_name, bytes, type) => {
  const gone = new AbortController()
  await using env = await testBindings({ invocation: testInvocation({ signal: gone.signal }) })
  const { body, reached } = halfOf(bytes)
  const answer = post(env, { body, type })
  await reached
  // The upload is under way: this is what must not stay.
  await expect.poll(async () => await readdir(join(env.folder, 'input'))).toHaveLength(1)
  gone.abort(new Error('The client went away.'))
  expect(await problemOf(await answer)).toMatchObject({ status: 408, code: 'request-timeout' })
  await nothingLeft(env)
})

test.each(KINDS)('%s: a connection that breaks', async (_name, bytes, type) => {
  await using env = await testBindings()
  const { body, reached, rest } = halfOf(bytes)
  const answer = post(env, { body, type })
  await reached
  rest.reject(new Error('ECONNRESET'))
  expect(await problemOf(await answer)).toMatchObject({ status: 408 })
  await nothingLeft(env)
})

test.each(KINDS)(
  '%s: a sender that goes away before the first byte, and after the last',
  async (_name, bytes, type) => {
    const gone = new AbortController()
    await using env = await testBindings({ invocation: testInvocation({ signal: gone.signal }) })
    const atTheEnd = async function* () {
      yield* slices(bytes, 16 * KIB)
      gone.abort()
    }
    expect(await problemOf(await post(env, { body: streamOf(atTheEnd()), type }))).toMatchObject({ status: 408 })
    expect(await problemOf(await post(env, { body: bytes, type }))).toMatchObject({ status: 408 })
    await nothingLeft(env)
  },
)

/** A put that takes some bytes and then fails, after the real store has seen them. */
function failingPut(env: TestBindings, error: Error): BlobStore['put'] {
  const { blobs } = env
  return async (key, source, signal) => {
    if (source instanceof Uint8Array) throw error
    const broken = async function* () {
      let taken = 0
      for await (const chunk of source) {
        yield chunk
        taken += chunk.length
        if (taken > jpeg.length / 2) throw error
      }
    }
    return await blobs.put(key, broken(), signal)
  }
}

test.each(KINDS)('%s: a blob store that fails on the way', async (_name, bytes, type) => {
  for (const error of [unavailable('blob store'), new Error('EIO')]) {
    await using env = await testBindings()
    env.blobs = { ...env.blobs, put: failingPut(env, error) }
    const response = await post(env, { body: streamOf(slices(bytes, 16 * KIB)), type })
    expect(response.headers.get('retry-after')).toBe('2')
    expect(await problemOf(response)).toMatchObject({ status: 503, code: 'unavailable' })
    await nothingLeft(env)
  }
})

test.each(KINDS)(
  '%s: a blob store that fails while the sender is silent does not keep the answer',
  async (_name, bytes, type) => {
    await using env = await testBindings()
    const { body, reached } = halfOf(bytes)
    env.blobs = {
      ...env.blobs,
      put: async (_key, source) => {
        if (source instanceof Uint8Array) throw new Error('Expected a stream.')
        const iterator = source[Symbol.asyncIterator]()
        const readOn = async (): Promise<void> => {
          while ((await iterator.next()).done !== true) continue
        }
        readOn().catch(() => {})
        await reached
        throw unavailable('blob store')
      },
    }
    expect((await post(env, { body, type })).status).toBe(503)
    await nothingLeft(env)
  },
)

test('a task store that fails', async () => {
  for (const error of [unavailable('task store'), new Error('locked')]) {
    await using env = await testBindings()
    env.tasks = { ...env.tasks, create: async () => await Promise.reject(error) }
    const response = await postForm(env, [imagePart(jpeg)])
    expect(response.headers.get('retry-after')).toBe('2')
    expect(await problemOf(response)).toMatchObject({ status: 503, code: 'unavailable' })
    await nothingLeft(env)
  }
})

test('a write that reached the task store although it seemed to fail is a success', async () => {
  await using env = await testBindings()
  const { tasks } = env
  const create: TaskStore['create'] = async (task, message) => {
    await tasks.create(task, message)
    throw unavailable('task store')
  }
  env.tasks = { ...tasks, create }
  const response = await postForm(env, [imagePart(jpeg)])
  expect(response.status).toBe(202)
  const { id } = await taskOf(response)
  expect(await readdir(join(env.folder, 'input', id))).toEqual(['original.jpg'])
})

test('where it cannot be told whether the task exists, its original stays for it or for the collector', async () => {
  await using env = await testBindings()
  const away = async (): Promise<never> => await Promise.reject(unavailable('task store'))
  env.tasks = { ...env.tasks, create: away, get: away }
  expect((await postForm(env, [imagePart(jpeg)])).status).toBe(503)
  expect(await readdir(join(env.folder, 'input'))).toHaveLength(1)
})

test('a refusal after the image was stored', async () => {
  await using env = await testBindings()
  for (const field of [
    { name: 'nope', value: '1' },
    { name: 'callbackUrl', value: 'https://example.com' },
  ]) {
    expect((await postForm(env, [imagePart(jpeg), field])).status).toBeGreaterThanOrEqual(400)
    await nothingLeft(env)
  }
})

test("an upload that took half of the collector's grace", async () => {
  await using env = await testBindings()
  env.settings = { ...env.settings, gcGraceMs: 0 }
  const slow = async function* () {
    yield jpeg.subarray(0, 10_000)
    // Any later instant will do.
    await expect.poll(() => Date.now()).toBeGreaterThan(Date.now())
    yield jpeg.subarray(10_000)
  }
  const response = await post(env, { body: streamOf(slow()) })
  expect(await problemOf(response)).toMatchObject({ status: 503, code: 'unavailable' })
  await nothingLeft(env)
})

test('a key that was reserved too long ago is given up, so that the next request gets a new task', async () => {
  await using env = await testBindings()
  const old = newTaskId(Date.now() - env.settings.gcGraceMs / 2 - 1_000)
  const now = Date.now()
  await env.tasks.reserveKey({
    key: 'k',
    apiKeyId: '',
    taskId: old,
    now: now - 100_000,
    lockedUntil: now - 1,
    expiresAt: now + 100_000,
  })
  const headers = { 'Idempotency-Key': 'k' }
  let pulled = false
  const unread = new ReadableStream<Uint8Array>({ pull: () => void (pulled = true) }, { highWaterMark: 0 })
  expect((await post(env, { body: unread, headers })).status).toBe(503)
  expect(pulled).toBe(false)
  await nothingLeft(env)
  const response = await postForm(env, [imagePart(jpeg)], headers)
  expect(response.status).toBe(202)
  expect((await taskOf(response)).id).not.toBe(old)
})
