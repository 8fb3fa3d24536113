import { expect, test } from 'vitest'
import { unavailable } from '#shared/errors.ts'
import { readTask, taskCacheKey } from '#shared/read-task.ts'
import { newTaskId } from '#shared/task.ts'
import { originalKey } from '#shared/variant.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { completedTask, pendingTask, testTask } from '../../test/tasks.ts'
import app from './index.ts'

const remove = async (env: TestBindings, id: string) => await app.request(`/tasks/${id}`, { method: 'DELETE' }, env)

/** Notes the order in which the parts are taken away. */
function watched(env: TestBindings, order: string[]): TestBindings {
  const note =
    <Args extends unknown[], Result>(name: string, call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      order.push(name)
      return await call(...args)
    }
  const { tasks, cache, blobs, queue } = env
  return {
    ...env,
    tasks: { ...tasks, delete: note('document', async (id: string) => await tasks.delete(id)) },
    cache: {
      ...cache,
      set: note('tombstone', async (...args: Parameters<typeof cache.set>) => await cache.set(...args)),
    },
    blobs: { ...blobs, deleteTask: note('files', async (id: string) => await blobs.deleteTask(id)) },
    queue: {
      ...queue,
      remove: note('message', async (...args: Parameters<typeof queue.remove>) => await queue.remove(...args)),
    },
  }
}

test('204: document, cache, files and messages are gone, in this order; a second time 404', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  await readTask(env, id)
  const order: string[] = []
  const response = await remove(watched(env, order), id)
  expect(response.status).toBe(204)
  expect(response.body).toBeNull()
  expect(order).toEqual(['document', 'tombstone', 'files', 'message', 'message'])
  expect(await env.tasks.get(id)).toBeNull()
  expect(await readTask(env, id)).toBeNull()
  expect(await env.blobs.listTasks('', 10)).toEqual([])
  expect(env.queue.removed).toEqual([`${id}.created`, `${id}.settled`])
  const again = await remove(env, id)
  expect(again.status).toBe(404)
  expect(await again.json()).toMatchObject({ code: 'not-found' })
})

test('whatever the status', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  await env.tasks.claim(id, { attempt: 1, nextCheckAt: Date.now() })
  expect((await remove(env, id)).status).toBe(204)
  expect(await env.blobs.get(originalKey(id, 'jpeg'))).toBeNull()
})

test.for([newTaskId(), 'nothing', '%2e%2e', '%00'])('404 for an unknown id: %s', async (id) => {
  await using env = await testBindings()
  const response = await remove(env, id)
  expect(response.status).toBe(404)
  expect(env.queue.removed).toEqual([])
})

test('files or messages that cannot be taken away do not change the answer', async () => {
  const warnings: string[] = []
  const silent = (): void => {}
  const log = { debug: silent, info: silent, error: silent, warn: (message: string) => warnings.push(message) }
  await using env = await testBindings({ invocation: testInvocation({ log }) })
  const { id } = await completedTask(env)
  const away = async (): Promise<never> => {
    throw unavailable('disk')
  }
  const broken = { ...env, blobs: { ...env.blobs, deleteTask: away }, queue: { ...env.queue, remove: away } }
  expect((await remove(broken, id)).status).toBe(204)
  expect(warnings).toHaveLength(2)
  expect((await remove(env, id)).status).toBe(404)
})

test('503 when the store is away, and nothing was touched', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const away = async (): Promise<never> => {
    throw unavailable('task store')
  }
  const response = await remove({ ...env, tasks: { ...env.tasks, delete: away } }, id)
  expect(response.status).toBe(503)
  expect(await env.blobs.listTasks('', 10)).toEqual([id])
  expect(await readTask(env, id)).toMatchObject({ id })
})

test('who asks again after a crash between document and cache clears the cache', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  await readTask(env, id)
  await env.tasks.delete(id)
  expect(await readTask(env, id)).not.toBeNull()
  expect((await remove(env, id)).status).toBe(404)
  expect(await readTask(env, id)).toBeNull()
})

test('an id that has no task yet, as that of an open upload, is not hidden once it has one', async () => {
  await using env = await testBindings()
  const { id } = testTask()
  expect((await remove(env, id)).status).toBe(404)
  expect(await env.cache.get(taskCacheKey(id))).toBeUndefined()
  await completedTask(env, { id })
  expect(await readTask(env, id)).toMatchObject({ id })
})
