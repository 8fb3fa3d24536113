import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { IDEMPOTENCY_LOCK_MS } from '#shared/limits.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { idempotencyKey } from './idempotency.ts'
import { haltedBody, imagePart, type Part, post, postForm, postJson, problemOf, taskOf } from './requests.fixture.ts'

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
    ['"a, b"', 'a, b'],
  ])('%s', (header, key) => {
    expect(idempotencyKey(header)).toBe(key)
  })

  test.each([
    ['', '1 to 255 characters, quoted or bare, got 0.'],
    ['""', '1 to 255 characters, quoted or bare, got 0.'],
    ['a'.repeat(256), '1 to 255 characters, quoted or bare, got 256.'],
    [`"${'a'.repeat(256)}"`, '1 to 255 characters, quoted or bare, got 256.'],
    ...['"abc', 'abc"', 'ab"c', '"a\\b"'].map((key) => [
      key,
      `a bare key without quotes, or all of it in quotes with \\" for one inside, got ${JSON.stringify(key)}.`,
    ]),
    ...['a, b', 'a,b', '"a", "b"', ',a'].map((keys) => [
      keys,
      `one key, got a list; a key with a comma is quoted: ${JSON.stringify(keys)}.`,
    ]),
  ])('%j is refused: expected %s', async (header, expected) => {
    await using env = await testBindings()
    const problem = await problemOf(await postForm(env, [image], { 'Idempotency-Key': header }))
    expect(problem).toMatchObject({
      status: 400,
      errors: [{ pointer: 'Idempotency-Key', detail: `Expected ${expected}` }],
    })
  })
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
  const { body, started, goOn } = haltedBody(jpeg)
  const first = post(env, { body, headers: KEY })
  await started
  for (let lock = 0; lock < 3; lock++) {
    await vi.advanceTimersByTimeAsync(IDEMPOTENCY_LOCK_MS)
    let pulled = false
    const unread = new ReadableStream<Uint8Array>({ pull: () => void (pulled = true) }, { highWaterMark: 0 })
    const second = await post(env, { body: unread, headers: KEY })
    expect(second.headers.get('retry-after')).toBe('2')
    expect(await problemOf(second)).toMatchObject({ status: 409, code: 'request-in-progress' })
    expect(pulled).toBe(false)
  }
  goOn()
  expect((await first).status).toBe(202)
  const count = renewed.length
  expect(count).toBeGreaterThanOrEqual(6)
  await vi.advanceTimersByTimeAsync(IDEMPOTENCY_LOCK_MS * 2)
  expect(renewed).toHaveLength(count)
})
