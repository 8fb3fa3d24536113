/** One file as an answer: conditions, ranges and the disk. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { Bindings, Logger } from '#shared/bindings.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { complete, completedTask, openDescriptors, pendingTask, variantBytes } from '../../test/tasks.ts'
import app from './index.ts'

type Env = Bindings

const ask = async (
  env: Env,
  id: string,
  tail = 'variants/800x800',
  headers: Record<string, string> = {},
  method = 'GET',
) => await app.request(`/tasks/${id}/${tail}`, { method, headers }, env)

const BYTES = variantBytes('800x800', 'jpeg')
const ETAG = `"${createHash('sha256').update(BYTES).digest('hex')}"`

/** A blob store that counts what is asked of it. */
function counting(env: TestBindings) {
  const calls: string[] = []
  const blobs = new Proxy(env.blobs, {
    get: (target, name, receiver) => {
      calls.push(String(name))
      return Reflect.get(target, name, receiver) as unknown
    },
  })
  return { calls, env: { ...env, blobs } }
}

function recordingLog() {
  const errors: string[] = []
  const silent = (): void => {}
  const log: Logger = { debug: silent, info: silent, warn: silent, error: (message) => errors.push(message) }
  return { errors, log }
}

test('the whole file, with all that caches and pages need', async () => {
  await using env = await testBindings()
  const task = await completedTask(env)
  const response = await ask(env, task.id)
  expect(response.status).toBe(200)
  expect(Object.fromEntries(response.headers)).toEqual({
    'accept-ranges': 'bytes',
    'cache-control': 'public, max-age=31536000, immutable',
    'content-length': '1000',
    'content-type': 'image/jpeg',
    'cross-origin-resource-policy': 'cross-origin',
    etag: ETAG,
    'last-modified': new Date(task.completedAt!).toUTCString(),
    vary: 'Accept',
    'x-content-type-options': 'nosniff',
  })
  expect(Buffer.from(await response.arrayBuffer())).toEqual(BYTES)
})

test('HEAD says the same and opens nothing', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const { calls, env: watched } = counting(env)
  const head = await ask(watched, id, 'variants/800x800', { Range: 'bytes=0-1' }, 'HEAD')
  expect(calls).toEqual([])
  expect(head.status).toBe(200)
  const got = await ask(env, id)
  expect(Object.fromEntries(head.headers)).toEqual(Object.fromEntries(got.headers))
  await got.body!.cancel()
})

test('304 before the disk is touched', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const { calls, env: watched } = counting(env)
  for (const headers of [
    { 'If-None-Match': ETAG },
    { 'If-None-Match': `W/${ETAG}` },
    { 'If-None-Match': `"x", ${ETAG}` },
    { 'If-None-Match': '*' },
    { 'If-None-Match': ETAG, Range: 'bytes=0-1' },
    { 'If-None-Match': ETAG, 'If-Modified-Since': new Date(0).toUTCString() },
  ]) {
    const response = await ask(watched, id, 'variants/800x800', headers)
    expect(response.status).toBe(304)
    expect(response.headers.get('etag')).toBe(ETAG)
    expect(response.headers.get('vary')).toBe('Accept')
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(response.body).toBeNull()
  }
  expect(calls).toEqual([])
})

test('304 by a date where it names one file', async () => {
  await using env = await testBindings()
  const { id, completedAt } = await completedTask(env)
  const { calls, env: watched } = counting(env)
  const later = new Date(Date.parse(completedAt!) + 1_000).toUTCString()
  for (const date of [new Date(completedAt!).toUTCString(), later]) {
    const response = await ask(watched, id, 'variants/800x800?format=jpeg', { 'If-Modified-Since': date })
    expect([response.status, response.headers.get('etag')]).toEqual([304, ETAG])
  }
  expect(calls).toEqual([])
})

test('the whole when the client has another file, or says nothing that counts', async () => {
  await using env = await testBindings()
  const { id, completedAt } = await completedTask(env)
  for (const headers of [
    { 'If-None-Match': '"x"' },
    { 'If-None-Match': '"x"', 'If-Modified-Since': new Date(completedAt!).toUTCString() },
    { 'If-Modified-Since': new Date(Date.parse(completedAt!) - 1_000).toUTCString() },
    { 'If-Modified-Since': 'yesterday' },
    // A date names several files where the format is negotiated.
    { 'If-Modified-Since': new Date(completedAt!).toUTCString() },
    { Range: 'bytes=0-1,5-6' },
    { Range: 'lines=0-1' },
    { Range: 'bytes=0-1', 'If-Range': '"x"' },
    { Range: 'bytes=0-1', 'If-Range': `W/${ETAG}` },
    { Range: 'bytes=0-1', 'If-Range': new Date(completedAt!).toUTCString() },
  ]) {
    const response = await ask(env, id, 'variants/800x800', headers)
    expect(response.status).toBe(200)
    expect((await response.arrayBuffer()).byteLength).toBe(1_000)
  }
})

test('a part, and the tag that it must be a part of', async () => {
  await using env = await testBindings()
  const { id, completedAt } = await completedTask(env)
  const date = new Date(completedAt!).toUTCString()
  for (const [tail, headers, start, end] of [
    ['', { Range: 'bytes=0-0' }, 0, 0],
    ['', { Range: 'bytes=10-19' }, 10, 19],
    ['', { Range: 'bytes=990-5000' }, 990, 999],
    ['', { Range: 'bytes=-5' }, 995, 999],
    ['', { Range: 'bytes=999-' }, 999, 999],
    ['', { Range: 'bytes=0-9', 'If-Range': ETAG }, 0, 9],
    ['?format=jpeg', { Range: 'bytes=0-9', 'If-Range': date }, 0, 9],
  ] as const) {
    const response = await ask(env, id, `variants/800x800${tail}`, headers)
    expect(response.status).toBe(206)
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end}/1000`)
    expect(response.headers.get('content-length')).toBe(String(end - start + 1))
    expect(response.headers.get('etag')).toBe(ETAG)
    expect(response.headers.get('accept-ranges')).toBe('bytes')
    expect(Buffer.from(await response.arrayBuffer())).toEqual(BYTES.subarray(start, end + 1))
  }
})

test('416 with the length, never cached, and nothing opened', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const { calls, env: watched } = counting(env)
  const response = await ask(watched, id, 'variants/800x800', { Range: 'bytes=1000-' })
  expect(response.status).toBe(416)
  expect(response.headers.get('content-range')).toBe('bytes */1000')
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await response.json()).toMatchObject({ code: 'range-not-satisfiable' })
  expect(calls).toEqual([])
})

test('200 HEADs and 200 bodies that nobody reads to the end leave no descriptor open', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  await complete(env, id, {}, 300_000)
  const before = openDescriptors()
  for (let i = 0; i < 200; i++) await ask(env, id, 'variants/800x800', {}, 'HEAD')
  expect(openDescriptors()).toBe(before)
  for (let i = 0; i < 200; i++) {
    const { body } = await ask(env, id)
    const reader = body!.getReader()
    if (i % 2 === 0) await reader.read()
    await reader.cancel()
  }
  expect(openDescriptors()).toBe(before)
})

test('a recorded file that is not there is 404, and an error in the log', async () => {
  const { errors, log } = recordingLog()
  await using env = await testBindings({ invocation: testInvocation({ log }) })
  const { id, variants } = await completedTask(env)
  await env.blobs.delete(variants[0]!.key)
  const response = await ask(env, id)
  expect(response.status).toBe(404)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(errors).toHaveLength(1)
})

test('a file that went with its task is no error', async () => {
  const { errors, log } = recordingLog()
  await using env = await testBindings({ invocation: testInvocation({ log }) })
  const { id } = await completedTask(env)
  await (await ask(env, id)).body!.cancel()
  // Still in the cache: the deletion is under way in another process.
  await env.tasks.delete(id)
  await env.blobs.deleteTask(id)
  expect((await ask(env, id)).status).toBe(404)
  expect(errors).toEqual([])
})

test('a file of another length is 500, logged and closed', async () => {
  const { errors, log } = recordingLog()
  await using env = await testBindings({ invocation: testInvocation({ log }) })
  const { id, variants } = await completedTask(env)
  const { key } = variants[0]!
  await env.blobs.delete(key)
  await env.blobs.put(key, Buffer.from('short'))
  const before = openDescriptors()
  const response = await ask(env, id)
  expect(response.status).toBe(500)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(errors).toEqual(['a file has another length than recorded'])
  expect(openDescriptors()).toBe(before)
})
