/** What a sweep does where a part of it cannot be done. */
import { expect, test } from 'vitest'
import { InvocationEnded, unavailable } from '#shared/errors.ts'
import { newTaskId } from '#shared/task.ts'
import { originalKey } from '#shared/variant.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { completedTask, pendingTask } from '../../test/tasks.ts'
import app from './index.ts'

const tick = async (env: TestBindings) => await app.request('/', { method: 'POST', body: 'ignored' }, env)

test('queue down: 503 at the first, which stays due', async () => {
  await using env = await testBindings()
  const first = await pendingTask(env, { nextCheckAt: 1 })
  await pendingTask(env, { nextCheckAt: 2 })
  env.queue.sent.length = 0
  let tries = 0
  const send = async (): Promise<never> => {
    tries++
    throw new Error('connection refused')
  }
  const response = await tick({ ...env, queue: { ...env.queue, send } })
  expect(response.status).toBe(503)
  expect(tries).toBe(1)
  await tick(env)
  expect(env.queue.sent.map(({ subject }) => subject)).toContain(first.id)
  expect(env.queue.sent).toHaveLength(2)
})

test('queue down: what expired goes all the same, orphans are collected, keys and ticks forgotten', async () => {
  await using env = await testBindings()
  await pendingTask(env, { nextCheckAt: 1 })
  const expired = await completedTask(env, {}, { ttlMs: -1 })
  const known = await completedTask(env, { id: newTaskId(1) })
  const orphan = newTaskId(2)
  await env.blobs.put(originalKey(orphan, 'jpeg'), Buffer.from('x'))
  let pruned = 0
  const prune = async (): Promise<void> => void pruned++
  const send = async (): Promise<never> => {
    throw new Error('connection refused')
  }
  const { status } = await tick({ ...env, queue: { ...env.queue, send }, tasks: { ...env.tasks, prune } })
  expect(status).toBe(503)
  expect(await env.tasks.get(expired.id)).toBeNull()
  expect(await env.blobs.listTasks('', 10)).not.toContain(orphan)
  expect(await env.blobs.listTasks('', 10)).toContain(known.id)
  expect(pruned).toBe(1)
})

test('the first fault is the answer; a further one is told beside it, and the end of the time ends it at once', async () => {
  const errors: string[] = []
  const log = { ...testInvocation().log, error: (message: string) => void errors.push(message) }
  await using env = await testBindings({ invocation: testInvocation({ log }) })
  const due = async (): Promise<never> => {
    throw unavailable('task store')
  }
  const prune = async (): Promise<never> => {
    throw new Error('odd')
  }
  expect((await tick({ ...env, tasks: { ...env.tasks, due, prune } })).status).toBe(503)
  expect(errors).toEqual(['a further part of the sweep failed'])
  let asked = 0
  const ended = async (): Promise<never> => {
    asked++
    throw new InvocationEnded()
  }
  await tick({ ...env, tasks: { ...env.tasks, due: ended, expired: ended, prune: ended } })
  expect(asked).toBe(1)
})

test('nothing is collected of files that are another task store’s, and that is an error of each sweep', async () => {
  const errors: unknown[] = []
  const log = { ...testInvocation().log, error: (...line: unknown[]) => void errors.push(line[1]) }
  await using env = await testBindings({ invocation: testInvocation({ log }) })
  for (let time = 1; time <= 3; time++) await completedTask(env, { id: newTaskId(time) })
  await tick(env)
  const before = await env.blobs.listTasks('', 10)
  await using empty = await testBindings()
  for (let time = 1; time <= 2; time++) {
    expect((await tick({ ...env, tasks: empty.tasks })).status).toBe(500)
    expect(errors).toHaveLength(time)
    expect(errors.at(-1)).toMatchObject({ err: { name: 'ForeignFiles' } })
  }
  expect(await env.blobs.listTasks('', 10)).toEqual(before)
  expect((await tick(env)).status).toBe(204)
})

test('files that cannot be removed do not keep an expired document', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env, {}, { ttlMs: -1 })
  const deleteTask = async (): Promise<never> => {
    throw unavailable('disk')
  }
  expect((await tick({ ...env, blobs: { ...env.blobs, deleteTask } })).status).toBe(204)
  expect(await env.tasks.get(id)).toBeNull()
})

test('503 when the store is away', async () => {
  await using env = await testBindings()
  const due = async (): Promise<never> => {
    throw unavailable('task store')
  }
  expect((await tick({ ...env, tasks: { ...env.tasks, due } })).status).toBe(503)
})
