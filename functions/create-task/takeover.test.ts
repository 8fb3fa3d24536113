/** A key whose request died or stalled, and two requests that make one task. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { IDEMPOTENCY_LOCK_MS } from '#shared/limits.ts'
import { newTaskId, type Task } from '#shared/task.ts'
import { originalKey } from '#shared/variant.ts'
import { testBindings, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { imagePart, post, postForm, postJson, problemOf, slices, streamOf, taskOf } from './requests.fixture.ts'

const jpeg = await picture({ width: 300, height: 200 })
const other = await picture({ width: 300, height: 201 })
const image = imagePart(jpeg)
const KEY = { 'Idempotency-Key': '"key-1"' }

afterEach(() => vi.useRealTimers())

async function folders(env: TestBindings): Promise<string[]> {
  return await readdir(join(env.folder, 'input')).catch(() => [])
}

/** A key whose request died: its id was chosen, and its lock is over. */
async function abandon(env: TestBindings, key = 'key-1'): Promise<string> {
  const taskId = newTaskId()
  const now = Date.now()
  await env.tasks.reserveKey({
    key,
    apiKeyId: '',
    taskId,
    now: now - 1_000,
    lockedUntil: now - 500,
    expiresAt: now + 100_000,
  })
  return taskId
}

describe('a key that is taken over', () => {
  test('keeps its task id', async () => {
    await using env = await testBindings()
    const id = await abandon(env)
    expect((await taskOf(await postForm(env, [image], KEY))).id).toBe(id)
  })

  test('goes on from what the dead request had stored, if it is the same', async () => {
    await using env = await testBindings()
    const id = await abandon(env)
    await env.blobs.put(originalKey(id, 'jpeg'), jpeg)
    expect((await taskOf(await postForm(env, [image], KEY))).id).toBe(id)
  })

  test('refuses another image, and leaves what was stored', async () => {
    await using env = await testBindings()
    const id = await abandon(env)
    await env.blobs.put(originalKey(id, 'jpeg'), jpeg)
    const response = await post(env, { body: streamOf(slices(other, 1_000)), headers: KEY })
    expect(await problemOf(response)).toMatchObject({ status: 422, code: 'idempotency-key-reused' })
    expect(await readdir(join(env.folder, 'input', id))).toEqual(['original.jpg'])
  })

  test('is compared also by a store that does not read what it has already', async () => {
    await using env = await testBindings()
    const id = await abandon(env)
    const stored = await env.blobs.put(originalKey(id, 'jpeg'), jpeg)
    env.blobs = { ...env.blobs, put: async () => ({ ...stored, created: false }) }
    expect((await postForm(env, [imagePart(other)], KEY)).status).toBe(422)
    await abandon(env, 'key-2')
    expect((await postForm(env, [image], { 'Idempotency-Key': 'key-2' })).status).toBe(202)
  })

  test('removes nothing when it fails: the next request under the key gets the id, and may build on it', async () => {
    await using env = await testBindings()
    const id = await abandon(env)
    await env.blobs.put(originalKey(id, 'png'), jpeg)
    expect((await postForm(env, [image, { name: 'quality', value: '0' }], KEY)).status).toBe(400)
    expect(await readdir(join(env.folder, 'input', id))).toEqual(['original.jpg', 'original.png'])
  })

  test('compares a copied original too', async () => {
    await using env = await testBindings()
    const { id: from } = await taskOf(await postForm(env, [image]))
    const id = await abandon(env)
    await env.blobs.put(originalKey(id, 'jpeg'), other)
    expect((await postJson(env, { taskId: from }, KEY)).status).toBe(422)
    await abandon(env, 'key-2')
    expect((await postJson(env, { taskId: from }, { 'Idempotency-Key': 'key-2' })).status).toBe(202)
  })
})

describe('two requests that make the same task at once', () => {
  async function race(env: TestBindings, theirs: (task: Task) => Task): Promise<Response> {
    const { tasks } = env
    env.tasks = {
      ...tasks,
      create: async (task, message) => {
        await tasks.create(theirs(task), message)
        return await tasks.create(task, message)
      },
    }
    return await postForm(env, [image], KEY)
  }

  test('agree when they are the same, and the file stays', async () => {
    await using env = await testBindings()
    const response = await race(env, (task) => task)
    expect(response.status).toBe(202)
    expect(response.headers.get('idempotent-replayed')).toBe('true')
    expect(await folders(env)).toEqual([(await taskOf(response)).id])
  })

  test('differ: the later is refused, and removes its own file alone', async () => {
    await using env = await testBindings()
    const response = await race(env, (task) => ({
      ...task,
      fingerprint: 'x',
      source: { ...task.source, key: originalKey(task.id, 'png') },
    }))
    expect(await problemOf(response)).toMatchObject({ status: 422, code: 'idempotency-key-reused' })
    expect(await folders(env)).toEqual([])
  })
})

test('a request whose lock has run out removes nothing that another may use, and frees no key', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
  await using env = await testBindings()
  const { tasks } = env
  const released: string[] = []
  env.tasks = {
    ...tasks,
    renewKey: async () => await Promise.reject(new Error('away')),
    releaseKey: async (key) => released.push(key) > 0,
    create: async () => {
      await vi.advanceTimersByTimeAsync(IDEMPOTENCY_LOCK_MS + 1)
      throw new Error('away')
    },
  }
  expect((await postForm(env, [image], KEY)).status).toBe(503)
  expect(await folders(env)).toHaveLength(1)
  expect(released).toEqual([])
})
