/** A key whose lock ran out while its request lives: however it goes on, the key has one task. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { unanswered, unavailable } from '#shared/errors.ts'
import { DAY_MS, IDEMPOTENCY_LOCK_MS } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { testBindings, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { haltedBody, imagePart, post, postForm, problemOf, taskOf } from './requests.fixture.ts'

const jpeg = await picture({ width: 300, height: 200 })
const image = imagePart(jpeg)
const refused = { name: 'quality', value: '0' }
const KEY = { 'Idempotency-Key': '"key-1"' }

beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] }))
afterEach(() => vi.useRealTimers())

/** A request in the middle of its body whose lock has run out, since it could not be renewed. */
async function stalled(env: TestBindings): Promise<{ goOn: () => Promise<Response> }> {
  const { tasks } = env
  const away = { ...env, tasks: { ...tasks, renewKey: async () => await Promise.reject(new Error('away')) } }
  const { body, started, goOn } = haltedBody(jpeg)
  const response = post(away, { body, headers: KEY })
  await started
  await vi.advanceTimersByTimeAsync(IDEMPOTENCY_LOCK_MS)
  return {
    goOn: async () => {
      goOn()
      return await response
    },
  }
}

const idsOf = async (env: TestBindings): Promise<string[]> => (await env.tasks.list({ limit: 10 })).map(({ id }) => id)

test('its request makes no task any more: 503, to be sent again', async () => {
  await using env = await testBindings()
  const { goOn } = await stalled(env)
  const response = await goOn()
  expect(response.headers.get('retry-after')).toBe('1')
  expect(await problemOf(response)).toMatchObject({ status: 503, code: 'unavailable' })
  expect(await idsOf(env)).toEqual([])
  expect((await postForm(env, [image], KEY)).status).toBe(202)
})

test('another that took it over and is refused leaves it, and a third makes the task of the same id', async () => {
  await using env = await testBindings()
  const create = Promise.withResolvers<void>()
  const { tasks } = env
  const late: Promise<unknown>[] = []
  // The write of the first request is on its way, and lands when all is over.
  const slow: typeof tasks.create = async (task, message) => {
    const landing = create.promise.then(async () => await tasks.create(task, message))
    late.push(landing)
    return await landing
  }
  const renewKey = async (): Promise<never> => await Promise.reject(new Error('away'))
  const first = postForm({ ...env, tasks: { ...tasks, create: slow, renewKey } }, [image], KEY)
  while (late.length === 0) await nextTurn()
  await vi.advanceTimersByTimeAsync(IDEMPOTENCY_LOCK_MS)

  expect((await postForm(env, [image, refused], KEY)).status).toBe(400)
  const busy = await postForm(env, [image], KEY)
  expect(await problemOf(busy)).toMatchObject({ status: 409, code: 'request-in-progress' })
  await vi.advanceTimersByTimeAsync(IDEMPOTENCY_LOCK_MS)
  const { id } = await taskOf(await postForm(env, [image], KEY))
  create.resolve()
  expect((await taskOf(await first)).id).toBe(id)
  expect(await idsOf(env)).toEqual([id])
})

test('an id of which no task can be made any more is let go', async () => {
  await using env = await testBindings()
  const now = Date.now()
  const taskId = newTaskId(now - DAY_MS)
  const [lockedUntil, expiresAt] = [now - 1, now + DAY_MS]
  await env.tasks.reserveKey({ key: 'key-1', apiKeyId: '', taskId, now: now - 2, lockedUntil, expiresAt })
  expect((await postForm(env, [image], KEY)).status).toBe(503)
  const response = await postForm(env, [image], KEY)
  expect(response.status).toBe(202)
  expect((await taskOf(response)).id).not.toBe(taskId)
})

test('a write that lands after its request was told 503 makes the task of its key, with its original', async () => {
  await using env = await testBindings()
  const { tasks } = env
  const landing: (() => Promise<unknown>)[] = []
  const create: typeof tasks.create = async (task, message) => {
    landing.push(async () => await tasks.create(task, message))
    return await Promise.reject(unanswered(unavailable('task store')))
  }
  expect((await postForm({ ...env, tasks: { ...tasks, create } }, [image], KEY)).status).toBe(503)
  expect((await postForm(env, [image], KEY)).status).toBe(409)
  for (const land of landing) await land()
  const response = await postForm(env, [image], KEY)
  expect(response.headers.get('idempotent-replayed')).toBe('true')
  const { id } = await taskOf(response)
  expect(await idsOf(env)).toEqual([id])
  const original = await env.blobs.get((await env.tasks.get(id))!.source.key!)
  expect(original?.bytes).toBe(jpeg.length)
  await original!.body.cancel()
})

test('one that never lands leaves its id to the next request under the key', async () => {
  await using env = await testBindings()
  const { tasks } = env
  const ids: string[] = []
  const create: typeof tasks.create = async ({ id }) => {
    ids.push(id)
    return await Promise.reject(unanswered(unavailable('task store')))
  }
  expect((await postForm({ ...env, tasks: { ...tasks, create } }, [image], KEY)).status).toBe(503)
  await vi.advanceTimersByTimeAsync(IDEMPOTENCY_LOCK_MS)
  expect((await taskOf(await postForm(env, [image], KEY))).id).toBe(ids[0])
})

test('a key that a machine with a faster clock took over is not freed, and the file that it builds on stays', async () => {
  await using env = await testBindings()
  const { blobs, tasks } = env
  let taskId = ''
  const put: typeof blobs.put = async (key, ...rest) => {
    const written = await blobs.put(key, ...rest)
    const now = Date.now() + IDEMPOTENCY_LOCK_MS
    const [lockedUntil, expiresAt] = [now + IDEMPOTENCY_LOCK_MS, now + DAY_MS]
    const request = { key: 'key-1', apiKeyId: '', taskId: newTaskId(), now, lockedUntil, expiresAt }
    const taken = await tasks.reserveKey(request)
    expect(taken.owned).toBe(true)
    ;({ taskId } = taken)
    return written
  }
  expect((await postForm({ ...env, blobs: { ...blobs, put } }, [image, refused], KEY)).status).toBe(400)
  expect(await blobs.listTasks('', 10)).toEqual([taskId])
  expect((await postForm(env, [image], KEY)).status).toBe(409)
})
