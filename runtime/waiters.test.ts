/** WAITERS_MAX: who waits for a change of a task, beyond it, has the state as it is. */
import { expect, test } from 'vitest'
import type { Task } from '#shared/task.ts'
import { testBindings, testInvocation, testSettings } from '../test/bindings.ts'
import { until } from '../test/runtime/until.ts'
import { pendingTask } from '../test/tasks.ts'
import { guardBindings, waiterCount } from './guard.ts'
import { WAITERS_MAX } from './limits.ts'

test('one waiter too many is answered at once, and a place that is left is free', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  const bindings = guardBindings(env)(testSettings(), testInvocation(), {
    closed: false,
    answered: false,
    signal: new AbortController().signal,
  })
  const wait = async (leaving: AbortController): Promise<(Task | null)[]> => {
    const seen: (Task | null)[] = []
    for await (const task of bindings.tasks.changes(id, leaving.signal)) seen.push(task)
    return seen
  }
  const crowd = new AbortController()
  const first = new AbortController()
  const waiting = [wait(first), ...Array.from({ length: WAITERS_MAX - 1 }, async () => await wait(crowd))]
  await until('all wait', () => waiterCount() === WAITERS_MAX)

  // Never aborted: it ends by itself, with the one state that there is.
  const refused = await wait(new AbortController())
  expect(refused.map((task) => task?.status)).toEqual(['pending'])
  expect(waiterCount()).toBe(WAITERS_MAX)

  first.abort()
  await waiting[0]!.catch(() => undefined)
  expect(waiterCount()).toBe(WAITERS_MAX - 1)
  const next = wait(crowd)
  await until('it waits', () => waiterCount() === WAITERS_MAX)
  crowd.abort()
  await Promise.allSettled([...waiting, next])
  expect(waiterCount()).toBe(0)
})

test('what goes on behind an answer takes no place of those who wait for theirs', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  const gate = { closed: false, answered: true, signal: new AbortController().signal }
  const bindings = guardBindings(env)(testSettings(), testInvocation(), gate)
  const gone = new AbortController()
  const changes = bindings.tasks.changes(id, gone.signal)[Symbol.asyncIterator]()
  expect((await changes.next()).value).toMatchObject({ id })
  expect(waiterCount()).toBe(0)
  gone.abort()
  await changes.next()
})
