import { expect, test } from 'vitest'
import { testBindings } from '../test/bindings.ts'
import { complete, completedTask, pendingTask } from '../test/tasks.ts'
import { readTask, taskCacheKey, TOMBSTONE } from './read-task.ts'
import { newTaskId } from './task.ts'

test('a settled task is read from the store once', async () => {
  await using env = await testBindings()
  const task = await completedTask(env)
  expect(await readTask(env, task.id)).toEqual(task)
  await env.tasks.delete(task.id)
  expect(await readTask(env, task.id)).toEqual(task)
})

test('a task that may still change is never cached', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  expect(await readTask(env, id)).toMatchObject({ status: 'pending' })
  await complete(env, id)
  expect(await readTask(env, id)).toMatchObject({ status: 'completed' })
})

test.for([
  [
    'its callback is pending',
    { callback: { url: 'https://a.example', status: 'pending', attempts: 0, lastStatus: null } },
  ],
  ['its original is still to be discarded', { options: { original: 'discard' } }],
] as const)('a completed task is not cached while %s', async ([, change]) => {
  await using env = await testBindings()
  const pending = await pendingTask(env)
  await env.tasks.delete(pending.id)
  const options = { ...pending.options, ...('options' in change ? change.options : {}) }
  const task = await completedTask(env, { ...pending, ...change, options })
  await readTask(env, task.id)
  expect(await env.cache.get(taskCacheKey(task.id))).toBeUndefined()
})

test('a tombstone hides the task, and a slow reader cannot replace it', async () => {
  await using env = await testBindings()
  const task = await completedTask(env)
  const slow = {
    ...env,
    tasks: {
      ...env.tasks,
      get: async (id: string) => {
        const found = await env.tasks.get(id)
        await env.cache.set(taskCacheKey(id), TOMBSTONE, 1_000)
        return found
      },
    },
  }
  await readTask(slow, task.id)
  expect(await readTask(env, task.id)).toBeNull()
})

test.for(['', 'x', newTaskId().toUpperCase(), `${newTaskId()}0`, '../etc/passwd', '__proto__'])(
  'an id that is none asks neither cache nor store: %s',
  async (id) => {
    await using env = await testBindings()
    const refuse = (): never => {
      throw new Error('asked')
    }
    const closed = { cache: { ...env.cache, get: refuse }, tasks: { ...env.tasks, get: refuse } }
    expect(await readTask(closed, id)).toBeNull()
  },
)

test.for([null, 'text', 7, {}, { id: 'another', schemaVersion: 1 }])(
  'what another version left in the cache is a miss: %j',
  async (value) => {
    await using env = await testBindings()
    const task = await completedTask(env)
    await env.cache.set(taskCacheKey(task.id), value, 1_000)
    expect(await readTask(env, task.id)).toEqual(task)
  },
)
