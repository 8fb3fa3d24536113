import { expect, test } from 'vitest'
import { unavailable } from '#shared/errors.ts'
import { taskCreated, variantWanted } from '#shared/message.ts'
import type { Task } from '#shared/task.ts'
import { testTask } from '../../../test/tasks.ts'
import { attemptOf } from './attempt.ts'

const MAX = 4

async function attempt(task: Partial<Task> | null | 'away', received: number | null): Promise<number> {
  const get = async (): Promise<Task | null> => {
    if (task === 'away') throw unavailable('task store')
    return task && testTask(task)
  }
  return await attemptOf({ get }, taskCreated(testTask().id), received, MAX)
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
  expect(await attempt({ status: 'processing', deliveries }, received)).toBe(expected)
})

test.each([
  ['its end is being told: the platform counts', 3, 3],
  ['no count of the platform', null, 1],
  ['never more than for settling', 12, 5],
])('of a task that has ended: %s', async (_what, received, expected) => {
  expect(await attempt({ status: 'completed', deliveries: 1 }, received)).toBe(expected)
  expect(await attempt(null, received)).toBe(expected)
})

test('of a message that is no claim of its task the platform counts, whatever the task says', async () => {
  const get = async () => testTask({ status: 'processing', deliveries: 1 })
  const wanted = variantWanted(testTask().id, { variant: 'a', format: 'webp' })
  expect(await attemptOf({ get }, wanted, 4, MAX)).toBe(4)
  expect(await attemptOf({ get }, wanted, 9, MAX)).toBe(MAX + 1)
  expect(await attemptOf({ get }, wanted, null, MAX)).toBe(1)
})

test('while the store is away no delivery is the last one', async () => {
  expect(await attempt('away', 9)).toBe(MAX)
  expect(await attempt('away', 2)).toBe(2)
  expect(await attempt('away', null)).toBe(1)
})
