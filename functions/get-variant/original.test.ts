import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { taskCreated } from '#shared/message.ts'
import { originalKey } from '#shared/variant.ts'
import { testBindings, type TestBindings } from '../../test/bindings.ts'
import { completedTask, fail, ORIGINAL_BYTES, pendingTask, testTask } from '../../test/tasks.ts'
import app from './index.ts'

const ask = async (env: TestBindings, id: string, query = '', headers: Record<string, string> = {}) =>
  await app.request(`/tasks/${id}/original${query}`, { headers }, env)

const ETAG = `"${createHash('sha256').update(ORIGINAL_BYTES).digest('hex')}"`

test('is an attachment under its own name, and not to be sniffed', async () => {
  await using env = await testBindings()
  const task = await completedTask(env)
  const response = await ask(env, task.id)
  expect(response.status).toBe(200)
  expect(Object.fromEntries(response.headers)).toEqual({
    'accept-ranges': 'bytes',
    'cache-control': 'public, max-age=31536000, immutable',
    'content-disposition': `attachment; filename="cat.jpg"; filename*=UTF-8''cat.jpg`,
    'content-length': String(ORIGINAL_BYTES.length),
    'content-type': 'image/jpeg',
    etag: ETAG,
    'last-modified': new Date(task.createdAt).toUTCString(),
    'x-content-type-options': 'nosniff',
  })
  expect(Buffer.from(await response.arrayBuffer())).toEqual(ORIGINAL_BYTES)
})

test('is there before the task has finished, and after it failed', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  expect(await (await ask(env, id)).text()).toBe(ORIGINAL_BYTES.toString())
  await fail(env, id, { code: 'image-corrupt', message: '' })
  expect(await (await ask(env, id)).text()).toBe(ORIGINAL_BYTES.toString())
})

test('in parts, and 304', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const part = await ask(env, id, '', { Range: 'bytes=4-11' })
  expect(part.status).toBe(206)
  expect(part.headers.get('content-disposition')).toContain('attachment')
  expect(await part.text()).toBe('original')
  expect((await ask(env, id, '', { 'If-None-Match': ETAG })).status).toBe(304)
  expect((await ask(env, id, '', { Range: 'bytes=5000-' })).status).toBe(416)
})

test('404 original-gone once it is discarded, also while the document does not say so yet', async () => {
  await using env = await testBindings()
  const { options } = testTask()
  const { id } = await completedTask(env, { options: { ...options, original: 'discard' } })
  await env.blobs.delete(originalKey(id, 'jpeg'))
  expect((await ask(env, id)).status).toBe(404)
  await env.tasks.discardOriginal(id)
  const response = await ask(env, id)
  expect(response.status).toBe(404)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await response.json()).toMatchObject({ status: 404, code: 'original-gone' })
})

test('of a URL: 409 until it is fetched, waited for, and the code of the task when that failed', async () => {
  await using env = await testBindings()
  const task = testTask()
  await env.tasks.create(task, taskCreated(task.id))
  const early = await ask(env, task.id)
  expect(early.status).toBe(409)
  expect(early.headers.get('retry-after')).toBe('1')
  expect(await early.json()).toMatchObject({ code: 'task-not-finished' })

  const fence = (await env.tasks.claim(task.id, { attempt: 1, nextCheckAt: Date.now() }))!.fence
  const begun = Promise.withResolvers<void>()
  const changes: typeof env.tasks.changes = async function* (id, signal) {
    for await (const state of env.tasks.changes(id, signal)) {
      begun.resolve()
      yield state
    }
  }
  const answer = ask({ ...env, tasks: { ...env.tasks, changes } }, task.id, '?wait=30')
  await begun.promise
  const file = await env.blobs.put(originalKey(task.id, 'jpeg'), ORIGINAL_BYTES)
  const { key, bytes, sha256 } = file
  await env.tasks.advance(task.id, fence, { source: { ...task.source, key, bytes, sha256, mediaType: 'image/jpeg' } })
  expect(await (await answer).text()).toBe(ORIGINAL_BYTES.toString())

  const second = testTask()
  await env.tasks.create(second, taskCreated(second.id))
  await fail(env, second.id, { code: 'source-unreachable', message: 'No answer.' })
  const failed = await ask(env, second.id)
  expect(failed.status).toBe(409)
  expect(await failed.json()).toMatchObject({ code: 'source-unreachable', detail: 'No answer.' })
})
