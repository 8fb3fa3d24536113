import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { IDEMPOTENCY_LOCK_MS } from '#shared/limits.ts'
import { newTaskId, type Task } from '#shared/task.ts'
import { originalKey } from '#shared/variant.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { idempotencyKey } from './idempotency.ts'
import {
  imagePart,
  type Part,
  post,
  postForm,
  postJson,
  problemOf,
  slices,
  streamOf,
  taskOf,
} from './requests.fixture.ts'

const jpeg = await picture({ width: 300, height: 200 })
const other = await picture({ width: 300, height: 201 })
const image = imagePart(jpeg)
const KEY = { 'Idempotency-Key': '"key-1"' }

afterEach(() => vi.useRealTimers())

async function folders(env: TestBindings): Promise<string[]> {
  return await readdir(join(env.folder, 'input')).catch(() => [])
}

describe('the header', () => {
  test.each([
    ['abc', 'abc'],
    ['"abc"', 'abc'],
    ['"a \\"b\\" \\\\c"', 'a "b" \\c'],
    ['a'.repeat(255), 'a'.repeat(255)],
    [`"${'a'.repeat(255)}"`, 'a'.repeat(255)],
  ])('%s', (header, key) => {
    expect(idempotencyKey(header)).toBe(key)
  })

  test.each(['', '""', '"abc', 'abc"', 'a'.repeat(256), `"${'a'.repeat(256)}"`, '"a\\b"'])(
    '%j is refused',
    async (header) => {
      expect(() => idempotencyKey(header)).toThrow('Expected 1 to 255 characters')
      await using env = await testBindings()
      const problem = await problemOf(await postForm(env, [image], { 'Idempotency-Key': header }))
      expect(problem).toMatchObject({ status: 400, errors: [{ pointer: 'Idempotency-Key' }] })
    },
  )
})

describe('the same request again', () => {
  test('gets the same task, and stores nothing', async () => {
    await using env = await testBindings()
    const first = await postForm(env, [image, { name: 'metadata', value: '{"a":"1","b":"2"}' }], KEY)
    expect(first.status).toBe(202)
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    const task = await taskOf(first)
    const again: Part[][] = [
      [image, { name: 'metadata', value: '{"b":"2","a":"1"}' }],
      [
        { name: 'metadata', value: ' {"a":"1","b":"2"}' },
        { name: 'variants', value: '1024x1024, 800x800' },
        imagePart(jpeg, 'other-name.jpg'),
      ],
    ]
    for (const parts of again) {
      const response = await postForm(env, parts, { 'Idempotency-Key': 'key-1' })
      expect(response.status).toBe(202)
      expect(response.headers.get('idempotent-replayed')).toBe('true')
      expect(response.headers.get('location')).toBe(`/tasks/${task.id}`)
      expect(await taskOf(response)).toEqual(task)
    }
    expect(await folders(env)).toEqual([task.id])
    expect(env.queue.sent).toHaveLength(1)
  })

  test('in another form is the same request', async () => {
    await using env = await testBindings()
    const { id } = await taskOf(await postForm(env, [image], KEY))
    expect((await taskOf(await post(env, { body: jpeg, headers: KEY }))).id).toBe(id)
  })

  test('with a wait gets the finished task', async () => {
    await using env = await testBindings()
    const { id } = await taskOf(await postForm(env, [image], KEY))
    await env.tasks.claim(id, { attempt: 1, nextCheckAt: Date.now() })
    await env.tasks.settle(id, 1, { status: 'failed', error: { code: 'image-corrupt', message: 'no' } })
    expect((await postForm(env, [image], { ...KEY, Prefer: 'wait=5' })).status).toBe(201)
    expect((await postForm(env, [image], KEY)).status).toBe(202)
  })

  test('by URL and by task', async () => {
    await using env = await testBindings()
    const upload = await taskOf(await postForm(env, [image]))
    for (const body of [{ url: 'https://example.com/a.jpg' }, { taskId: upload.id }]) {
      const headers = { 'Idempotency-Key': JSON.stringify(Object.keys(body)[0]) }
      const { id } = await taskOf(await postJson(env, body, headers))
      const again = await postJson(env, body, headers)
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect((await taskOf(again)).id).toBe(id)
    }
    await env.tasks.delete(upload.id)
    // The task that was copied from is gone; the answer is still the same.
    expect((await postJson(env, { taskId: upload.id }, { 'Idempotency-Key': '"taskId"' })).status).toBe(202)
  })

  test("is nobody else's: keys belong to the caller", async () => {
    await using env = await testBindings()
    const { id } = await taskOf(await postForm(env, [image], KEY))
    env.invocation = testInvocation({ caller: { kind: 'key', keyId: 'b' } })
    const response = await postForm(env, [image], KEY)
    expect(response.headers.get('idempotent-replayed')).toBeNull()
    expect((await taskOf(response)).id).not.toBe(id)
  })
})

describe('another request with the same key', () => {
  test.each<[string, Part[]]>([
    ['another image', [imagePart(other)]],
    ['another box', [image, { name: 'variants', value: '1024x1024' }]],
    ['another quality', [image, { name: 'quality', value: '81' }]],
    ['another background', [image, { name: 'background', value: 'red' }]],
    ['other metadata', [image, { name: 'metadata', value: '{"a":"1"}' }]],
    ['another access', [image, { name: 'access', value: 'signed' }]],
    ['discard', [image, { name: 'original', value: 'discard' }]],
  ])('%s is refused, and the task stays', async (_name, parts) => {
    await using env = await testBindings()
    const { id } = await taskOf(await postForm(env, [image], KEY))
    expect(await problemOf(await postForm(env, parts, KEY))).toMatchObject({
      status: 422,
      code: 'idempotency-key-reused',
    })
    expect(await folders(env)).toEqual([id])
    expect((await postForm(env, [image], KEY)).status).toBe(202)
  })

  test('a URL is not another URL, nor an image', async () => {
    await using env = await testBindings()
    await postJson(env, { url: 'https://example.com/a.jpg' }, KEY)
    expect((await postJson(env, { url: 'https://example.com/b.jpg' }, KEY)).status).toBe(422)
    expect((await postForm(env, [image], KEY)).status).toBe(422)
  })

  test('after the task was deleted', async () => {
    await using env = await testBindings()
    const { id } = await taskOf(await postForm(env, [image], KEY))
    await env.tasks.delete(id)
    expect(await problemOf(await postForm(env, [image], KEY))).toMatchObject({ status: 410, code: 'task-deleted' })
  })
})

test('a request that failed frees its key', async () => {
  await using env = await testBindings()
  expect((await postForm(env, [image, { name: 'quality', value: '0' }], KEY)).status).toBe(400)
  expect((await postForm(env, [imagePart(Buffer.from('text'))], KEY)).status).toBe(415)
  expect((await postForm(env, [image], KEY)).status).toBe(202)
})

test('while the first runs the second waits for its turn, unread; and the lock is renewed', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
  await using env = await testBindings()
  const renewed: number[] = []
  const { tasks } = env
  env.tasks = {
    ...tasks,
    renewKey: async (key, apiKeyId, lockedUntil) => {
      renewed.push(lockedUntil)
      await tasks.renewKey(key, apiKeyId, lockedUntil)
    },
  }
  const started = Promise.withResolvers<void>()
  const rest = Promise.withResolvers<void>()
  const body = streamOf(
    (async function* () {
      yield jpeg.subarray(0, 3_000)
      started.resolve()
      await rest.promise
      yield jpeg.subarray(3_000)
    })(),
  )
  const first = post(env, { body, headers: KEY })
  await started.promise
  for (let lock = 0; lock < 3; lock++) {
    await vi.advanceTimersByTimeAsync(IDEMPOTENCY_LOCK_MS)
    let pulled = false
    const unread = new ReadableStream<Uint8Array>({ pull: () => void (pulled = true) }, { highWaterMark: 0 })
    const second = await post(env, { body: unread, headers: KEY })
    expect(second.headers.get('retry-after')).toBe('2')
    expect(await problemOf(second)).toMatchObject({ status: 409, code: 'request-in-progress' })
    expect(pulled).toBe(false)
  }
  rest.resolve()
  expect((await first).status).toBe(202)
  const count = renewed.length
  expect(count).toBeGreaterThanOrEqual(6)
  await vi.advanceTimersByTimeAsync(IDEMPOTENCY_LOCK_MS * 2)
  expect(renewed).toHaveLength(count)
})

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
    await abandon(env)
    expect((await postForm(env, [image], KEY)).status).toBe(202)
  })

  test('removes only its own file when it fails', async () => {
    await using env = await testBindings()
    const id = await abandon(env)
    await env.blobs.put(originalKey(id, 'png'), jpeg)
    expect((await postForm(env, [image, { name: 'quality', value: '0' }], KEY)).status).toBe(400)
    expect(await readdir(join(env.folder, 'input', id))).toEqual(['original.png'])
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
    releaseKey: async (key) => void released.push(key),
    create: async () => {
      await vi.advanceTimersByTimeAsync(IDEMPOTENCY_LOCK_MS + 1)
      throw new Error('away')
    },
  }
  expect((await postForm(env, [image], KEY)).status).toBe(503)
  expect(await folders(env)).toHaveLength(1)
  expect(released).toEqual([])
})
