import { expect, test } from 'vitest'
import { unavailable } from '#shared/errors.ts'
import { type Message, taskCreated, taskSettled, variantWanted } from '#shared/message.ts'
import type { Callback, Task } from '#shared/task.ts'
import { testTask } from '../../../test/tasks.ts'
import { CHECK_LEASE_MS } from '#shared/limits.ts'
import { standingOf } from './standing.ts'

const MAX = 4
const { id } = testTask()
const created = taskCreated(id)
const settled = taskSettled(id)
const wanted = variantWanted(id, { variant: 'a', format: 'webp' })

async function standing(message: Message, task: Partial<Task> | null | 'away', received: number | null) {
  const get = async (): Promise<Task | null> => {
    if (task === 'away') throw unavailable('task store')
    return task && testTask(task)
  }
  return await standingOf({ get }, message, received, MAX)
}

async function attempt(...args: Parameters<typeof standing>): Promise<number | null> {
  const found = await standing(...args)
  return 'attempt' in found ? found.attempt : null
}

test.each([
  ['the first time it is handed out', 1, 0, 1],
  ['handed out again, its work never begun: nothing failed', 9, 0, 1],
  ['each start failed', 3, 2, 3],
  ['the sweeper sent it anew: the queue counts from one, as everywhere', 1, 3, 1],
  ['after the last allowed failure, the delivery that is for settling', 5, 4, 5],
  ['never more than that', 9, 8, 5],
  ['no count of the platform', null, 0, 1],
  ['no count of the platform, two starts', null, 2, 3],
])('of an unfinished task: %s', async (_what, received, deliveries, expected) => {
  const task = { status: 'processing', deliveries, nextCheckAt: Date.now() - 1 } as const
  expect(await attempt(created, task, received)).toBe(expected)
})

test('starts that met a store that was away are none of its attempts', async () => {
  const lastError = { code: 'unavailable', message: 'away' } as const
  const task = { status: 'processing', deliveries: 9, uncounted: 8, lastError } as const
  for (const received of [null, 9]) expect(await attempt(created, task, received)).toBe(2)
})

test('a duplicate of a message that is at work waits for its end', async () => {
  const nextCheckAt = Date.now() + CHECK_LEASE_MS
  const task = { status: 'processing', deliveries: 1, nextCheckAt } as const
  for (const received of [1, 2, null]) {
    const found = await standing(created, task, received)
    expect(found).toEqual({ heldMs: expect.closeTo(CHECK_LEASE_MS, -3) })
  }
})

test.each([
  ['nobody has begun with', { status: 'pending' }],
  ['a start has failed', { status: 'processing', lastError: { code: 'source-timeout', message: 'slow' } }],
  ['a start has died', { status: 'processing', nextCheckAt: Date.now() - 1 }],
] as const)('what %s waits for nobody', async (_what, task) => {
  const ahead = { deliveries: 1, nextCheckAt: Date.now() + CHECK_LEASE_MS, ...task }
  expect(await attempt(created, ahead, 2)).toBe(2)
})

test.each([
  ['the first time it is handed out', 1, 0, 1],
  ['handed out again, its receiver never asked: nothing failed', 4, 0, 1],
  ['each try failed', 3, 2, 3],
  ['the sweeper sent it anew: its tries are what they were', 1, 3, 4],
  ['no count of the platform', null, 0, 1],
  ['no count of the platform, two tries', null, 2, 3],
  ['tries that left no record, as many as may not have been failures', 2 * MAX, 0, 4],
  ['and one more: the last', 2 * MAX + 1, 0, 5],
  ['never more than that', 99, 3, 5],
])('of a callback that is owed: %s', async (_what, received, attempts, expected) => {
  const callback: Callback = { url: 'https://a.example/', status: 'pending', attempts, lastStatus: null }
  expect(await attempt(settled, { status: 'completed', deliveries: 1, callback }, received)).toBe(expected)
})

test.each([
  ['the platform counts', 3, 3],
  ['no count of the platform', null, 1],
  ['never more than for settling', 12, 5],
])('of what has nothing left to be counted: %s', async (_what, received, expected) => {
  const callback: Callback = { url: 'https://a.example/', status: 'delivered', attempts: 2, lastStatus: 200 }
  for (const message of [created, settled]) {
    expect(await attempt(message, { status: 'completed', deliveries: 1 }, received)).toBe(expected)
    expect(await attempt(message, { status: 'completed', deliveries: 1, callback }, received)).toBe(expected)
    expect(await attempt(message, null, received)).toBe(expected)
  }
})

test.each([
  [4, 4],
  [9, MAX + 1],
  [null, 1],
])('of a message that no task counts the platform counts, whatever the task says: %s', async (received, expected) => {
  expect(await attempt(wanted, { status: 'processing', deliveries: 1 }, received)).toBe(expected)
})

test('while the store is away no delivery is the last one', async () => {
  for (const message of [created, settled]) {
    expect(await attempt(message, 'away', 9)).toBe(MAX)
    expect(await attempt(message, 'away', 2)).toBe(2)
    expect(await attempt(message, 'away', null)).toBe(1)
  }
})
