import { expect, test } from 'vitest'
import { MINUTE_MS } from '#shared/limits.ts'
import { taskSettled } from '#shared/message.ts'
import { readTask } from '#shared/read-task.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { standingOf } from '../../runtime/targets/cloud/standing.ts'
import { completedTask, fail, pendingTask, testTask } from '../../test/tasks.ts'
import app from './index.ts'
import { BATCH_TASKS, RESEND_AGAIN_MS } from './limits.ts'

const tick = async (env: TestBindings) => await app.request('/', { method: 'POST', body: 'ignored' }, env)

const CALLBACK = { url: 'https://a.example', status: 'pending' as const, attempts: 0, lastStatus: null }

function measuring() {
  const swept: Record<string, number> = {}
  const measure = (_name: string, value: number, labels: object): void => {
    const { action } = labels as { action: string }
    swept[action] = (swept[action] ?? 0) + value
  }
  return { swept, measure }
}

test('a task that nothing was heard of is sent again, and looked at again half a minute later', async () => {
  const { swept, measure } = measuring()
  await using env = await testBindings({ invocation: testInvocation({ measure }) })
  const now = Date.now()
  const due = await pendingTask(env, { nextCheckAt: now - 1, traceparent: '00-aa-bb-01' })
  const processing = await pendingTask(env, { nextCheckAt: now })
  await env.tasks.claim(processing.id, { attempt: 1, nextCheckAt: now - 5 })
  await pendingTask(env, { nextCheckAt: now + MINUTE_MS })
  env.queue.sent.length = 0
  expect((await tick(env)).status).toBe(204)
  expect(env.queue.sent.map(({ id }) => id)).toEqual([`${processing.id}.created`, `${due.id}.created`])
  expect(env.queue.sent[1]).toMatchObject({ type: 'task.created', subject: due.id, traceparent: '00-aa-bb-01' })
  const { nextCheckAt } = (await env.tasks.get(due.id))!
  expect(nextCheckAt).toBeGreaterThanOrEqual(now + RESEND_AGAIN_MS)
  expect(swept).toEqual({ resent: 2 })
  await tick(env)
  expect(swept).toEqual({ resent: 2 })
})

test('a terminal task whose callback is pending is sent to notify', async () => {
  await using env = await testBindings()
  const task = await pendingTask(env, { callback: CALLBACK })
  const settled = { message: taskSettled(task.id), nextCheckAt: Date.now() - 1 }
  await fail(env, task.id, { code: 'image-corrupt', message: '' }, settled)
  env.queue.sent.length = 0
  await tick(env)
  expect(env.queue.sent).toMatchObject([{ id: `${task.id}.settled`, type: 'task.settled', queue: 'task-callbacks' }])
})

test('a completed task whose original is still to go is sent again, with its callback where that is owed too', async () => {
  await using env = await testBindings()
  const { options } = testTask()
  const discarding = { options: { ...options, original: 'discard' as const } }
  const due = { nextCheckAt: Date.now() - 1 }
  const alone = await completedTask(env, discarding, due)
  const both = await completedTask(env, { ...discarding, callback: CALLBACK }, { nextCheckAt: due.nextCheckAt - 1 })
  env.queue.sent.length = 0
  await tick(env)
  expect(env.queue.sent.map(({ id }) => id)).toEqual([
    `${both.id}.created`,
    `${both.id}.settled`,
    `${alone.id}.created`,
  ])
  expect((await env.tasks.get(alone.id))!.nextCheckAt).toBeGreaterThan(Date.now())
})

test('one that was to be looked at, and whose original went meanwhile, is looked at no more', async () => {
  await using env = await testBindings()
  const { options } = testTask()
  const discarding = { ...options, original: 'discard' as const }
  const { id } = await completedTask(env, { options: discarding, callback: CALLBACK }, { nextCheckAt: 1 })
  await env.tasks.discardOriginal(id)
  await env.tasks.recordCallback(id, { ...CALLBACK, status: 'delivered' }, 2)
  env.queue.sent.length = 0
  await tick(env)
  expect(env.queue.sent).toEqual([])
  expect((await env.tasks.get(id))!.nextCheckAt).toBeNull()
})

test('a message for a task whose worker fell silent is not taken for a duplicate of his', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  await env.tasks.claim(id, { attempt: 1, nextCheckAt: 1 })
  env.queue.sent.length = 0
  await tick(env)
  const [message] = env.queue.sent
  expect(await standingOf(env.tasks, message!, 1, 4)).toEqual({ attempt: 1 })
  expect((await env.tasks.get(id))!.lastError).toMatchObject({ code: 'processing-failed' })
  const failed = { code: 'source-timeout', message: 'slow' } as const
  await env.tasks.advance(id, 1, { nextCheckAt: 1, lastError: failed })
  await tick(env)
  expect((await env.tasks.get(id))!.lastError).toEqual(failed)
})

test('all that is due, batch after batch', async () => {
  await using env = await testBindings()
  for (let i = 0; i <= BATCH_TASKS; i++) await pendingTask(env, { nextCheckAt: i + 1 })
  env.queue.sent.length = 0
  await tick(env)
  expect(env.queue.sent).toHaveLength(BATCH_TASKS + 1)
})

test('who loses the compare-and-set has sent in vain, and does not turn in a circle', async () => {
  const { swept, measure } = measuring()
  await using env = await testBindings({ invocation: testInvocation({ measure }) })
  for (let i = 0; i < BATCH_TASKS; i++) await pendingTask(env, { nextCheckAt: i + 1 })
  env.queue.sent.length = 0
  const postpone = async (): Promise<boolean> => false
  expect((await tick({ ...env, tasks: { ...env.tasks, postpone } })).status).toBe(204)
  expect(env.queue.sent).toHaveLength(BATCH_TASKS)
  expect(swept).toEqual({})
})

test('a task is put off only once it was sent: a sweeper that dies in between leaves it due', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env, { nextCheckAt: 1 })
  const send = async (): Promise<void> => {
    expect((await env.tasks.get(id))!.nextCheckAt).toBe(1)
  }
  expect((await tick({ ...env, queue: { ...env.queue, send } })).status).toBe(204)
  expect((await env.tasks.get(id))!.nextCheckAt).toBeGreaterThan(1)
})

test('two sweepers at once put each task off once, and leave one message of each', async () => {
  const { swept, measure } = measuring()
  await using env = await testBindings({ invocation: testInvocation({ measure }) })
  for (let i = 0; i < 30; i++) await pendingTask(env, { nextCheckAt: i + 1 })
  env.queue.sent.length = 0
  await Promise.all([tick(env), tick(env)])
  expect(env.queue.sent).toHaveLength(30)
  expect(swept).toEqual({ resent: 30 })
})

test('an aborted tick stops where it is', async () => {
  const ended = new AbortController()
  await using env = await testBindings({ invocation: testInvocation({ signal: ended.signal }) })
  for (let i = 0; i < 3; i++) await pendingTask(env, { nextCheckAt: i + 1 })
  const sent: string[] = []
  const send = async ({ id }: { id: string }): Promise<void> => {
    sent.push(id)
    ended.abort()
  }
  await tick({ ...env, queue: { ...env.queue, send } })
  expect(sent).toHaveLength(1)
})

test('an expired task goes with all that hangs on it; others stay', async () => {
  const { swept, measure } = measuring()
  await using env = await testBindings({ invocation: testInvocation({ measure }) })
  const expired = await completedTask(env, {}, { ttlMs: -1 })
  const kept = await completedTask(env, {}, { ttlMs: MINUTE_MS })
  const forever = await completedTask(env)
  const pending = await pendingTask(env, { expiresAt: new Date(0).toISOString() })
  await readTask(env, expired.id)
  expect((await tick(env)).status).toBe(204)
  expect(await env.tasks.get(expired.id)).toBeNull()
  expect(await readTask(env, expired.id)).toBeNull()
  expect(env.queue.removed).toEqual([`${expired.id}.created`, `${expired.id}.settled`])
  expect(await env.blobs.listTasks('', 10)).toEqual([kept.id, forever.id, pending.id].sort())
  expect(swept).toEqual({ expired: 1 })
})

test('keys and ticks that are over are forgotten', async () => {
  await using env = await testBindings()
  const pruned: number[] = []
  const prune = async (now: number): Promise<void> => {
    pruned.push(now)
  }
  const before = Date.now()
  await tick({ ...env, tasks: { ...env.tasks, prune } })
  expect(pruned).toHaveLength(1)
  expect(pruned[0]).toBeGreaterThanOrEqual(before)
})
