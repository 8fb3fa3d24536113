/** What a sweep does where a part of it cannot be done. */
import { afterEach, expect, test, vi } from 'vitest'
import { InvocationEnded, unavailable } from '#shared/errors.ts'
import { type Message, taskSettled } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { originalKey } from '#shared/variant.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { completedTask, fail, pendingTask, testTask } from '../../test/tasks.ts'
import config from './config.ts'
import app from './index.ts'
import { QUEUE_AWAY_MS } from './limits.ts'

const tick = async (env: TestBindings) => await app.request('/', { method: 'POST', body: 'ignored' }, env)

afterEach(() => void vi.useRealTimers())

const CALLBACK = { url: 'https://a.example', status: 'pending' as const, attempts: 0, lastStatus: null }

test('queue down: 503, it is asked once, and all is due again by the next run', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  await using env = await testBindings()
  for (const nextCheckAt of [1, 2]) await pendingTask(env, { nextCheckAt })
  env.queue.sent.length = 0
  let tries = 0
  const send = async (): Promise<never> => {
    tries++
    throw new Error('connection refused')
  }
  const response = await tick({ ...env, queue: { ...env.queue, send } })
  expect(response.status).toBe(503)
  expect(tries).toBe(1)
  expect(QUEUE_AWAY_MS).toBeLessThan(config.trigger.everyMs)
  vi.setSystemTime(Date.now() + QUEUE_AWAY_MS)
  expect((await tick(env)).status).toBe(204)
  expect(env.queue.sent).toHaveLength(2)
})

test('one queue down: what the others take is sent, however much is due before it, and it is told', async () => {
  await using env = await testBindings()
  const owed = await pendingTask(env, { callback: CALLBACK })
  const settled = { message: taskSettled(owed.id), nextCheckAt: 1 }
  await fail(env, owed.id, { code: 'image-corrupt', message: '' }, settled)
  const waiting = await pendingTask(env, { nextCheckAt: 2 })
  env.queue.sent.length = 0
  const send = async (message: Message): Promise<void> => {
    if (message.queue === 'task-callbacks') throw new Error('no such topic')
    await env.queue.send(message)
  }
  for (let run = 0; run < 3; run++) {
    expect((await tick({ ...env, queue: { ...env.queue, send } })).status).toBe(run === 0 ? 503 : 204)
  }
  expect(env.queue.sent.map(({ subject }) => subject)).toEqual([waiting.id])
})

test('of two messages that are owed, the one that is taken is sent, and the other tried again', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  await using env = await testBindings()
  const { options } = testTask()
  const discarding = { options: { ...options, original: 'discard' as const }, callback: CALLBACK }
  await completedTask(env, discarding, { nextCheckAt: 1 })
  env.queue.sent.length = 0
  const send = async (message: Message): Promise<void> => {
    if (message.queue !== 'task-callbacks') throw new Error('no such topic')
    await env.queue.send(message)
  }
  expect((await tick({ ...env, queue: { ...env.queue, send } })).status).toBe(503)
  expect(env.queue.sent.map(({ type }) => type)).toEqual(['task.settled'])
  vi.setSystemTime(Date.now() + QUEUE_AWAY_MS)
  await tick(env)
  expect(env.queue.sent.map(({ type }) => type)).toContain('task.created')
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
