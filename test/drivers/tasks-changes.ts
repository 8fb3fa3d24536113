/** Waiting for a task: no change is missed, and nothing stays behind. */
import { getEventListeners } from 'node:events'
import { beforeEach, describe, expect, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { isTerminal, newTaskId, type Task } from '#shared/task.ts'
import { CLAIM, completion, FAILURE, sampleDerived, sampleMessage, sampleTask } from './samples.ts'
import type { TaskSuite } from './tasks.ts'

async function untilTerminal(store: TaskStore, id: string, signal: AbortSignal): Promise<Task | null> {
  for await (const task of store.changes(id, signal)) if (task === null || isTerminal(task)) return task
  return null
}

export function describeChanges({ opened, create }: TaskSuite): void {
  describe('changes', () => {
    let tasks: TaskStore
    let second: TaskStore
    let controller: AbortController
    beforeEach(() => {
      ;({ tasks, second } = opened())
      controller = new AbortController()
    })
    const iterate = (id: string): AsyncIterator<Task | null> =>
      tasks.changes(id, controller.signal)[Symbol.asyncIterator]()
    const listeners = (): number => getEventListeners(controller.signal, 'abort').length

    test('first the task as it is, then each later state, then null, and no more', async () => {
      const task = await create()
      const states = iterate(task.id)
      expect(await states.next()).toEqual({ done: false, value: task })
      const claimed = states.next()
      const { fence } = (await tasks.claim(task.id, CLAIM))!
      expect((await claimed).value).toMatchObject({ status: 'processing' })
      const advanced = states.next()
      await tasks.advance(task.id, fence, { progress: 0.5 })
      expect((await advanced).value).toMatchObject({ progress: 0.5 })
      const settled = states.next()
      await tasks.settle(task.id, fence, completion(task.id))
      expect((await settled).value).toMatchObject({ status: 'completed' })
      const derived = states.next()
      await tasks.recordDerived(task.id, '10x10', 'webp', sampleDerived(task.id))
      expect((await derived).value?.variants[0]?.derived).toHaveProperty('webp')
      const deleted = states.next()
      await tasks.delete(task.id)
      expect(await deleted).toEqual({ done: false, value: null })
      expect(await states.next()).toEqual({ done: true, value: undefined })
      expect(listeners()).toBe(0)
    })

    test('a change that comes while the first state is read is not missed', async () => {
      // Started at the same time, over and over: whichever order the store gives them, the end is seen.
      for (let i = 0; i < 20; i++) {
        const { id } = await create()
        const { fence } = (await tasks.claim(id, CLAIM))!
        const seen = untilTerminal(tasks, id, controller.signal)
        const [task] = await Promise.all([seen, (i % 2 ? tasks : second).settle(id, fence, FAILURE)])
        expect(task).toMatchObject({ status: 'failed' })
      }
    })

    test('a change made while nobody asks for the next state is there when it is asked for', async () => {
      const { id } = await create()
      const states = iterate(id)
      await states.next()
      const { fence } = (await tasks.claim(id, CLAIM))!
      await tasks.settle(id, fence, FAILURE)
      expect((await states.next()).value).toMatchObject({ status: 'failed' })
      controller.abort()
    })

    test('of many quick changes the last is seen', async () => {
      const { id } = await create()
      const { fence } = (await tasks.claim(id, CLAIM))!
      const seen = untilTerminal(tasks, id, controller.signal)
      for (let i = 1; i <= 50; i++) await tasks.advance(id, fence, { progress: i / 100 })
      await tasks.settle(id, fence, completion(id))
      expect(await seen).toMatchObject({ status: 'completed', progress: 1 })
    })

    test('an id that is not there is null at once, and ends', async () => {
      const states = iterate(newTaskId())
      expect(await states.next()).toEqual({ done: false, value: null })
      expect(await states.next()).toEqual({ done: true, value: undefined })
      expect(listeners()).toBe(0)
    })

    test('a waiter hears nothing of another task', async () => {
      const { id } = await create()
      const states = iterate(id)
      await states.next()
      const next = states.next()
      const other = await create()
      await tasks.delete(other.id)
      const { fence } = (await tasks.claim(id, CLAIM))!
      expect((await next).value).toMatchObject({ id, deliveries: fence })
      controller.abort()
    })

    test('abort ends the wait; one that came before yields nothing', async () => {
      const { id } = await create()
      const states = iterate(id)
      await states.next()
      const next = states.next()
      controller.abort()
      expect(await next).toEqual({ done: true, value: undefined })
      expect(listeners()).toBe(0)
      expect(await iterate(id).next()).toEqual({ done: true, value: undefined })
    })

    test('break, and leaving while it waits, leave no listener', async () => {
      const { id } = await create()
      for await (const task of tasks.changes(id, controller.signal)) {
        expect(task?.id).toBe(id)
        expect(listeners()).toBe(1)
        break
      }
      expect(listeners()).toBe(0)
      const states = iterate(id)
      await states.next()
      const next = states.next()
      await states.return?.()
      expect(await next).toEqual({ done: true, value: undefined })
      expect(listeners()).toBe(0)
    })

    test('ten wait for one task, and all are told', async () => {
      const { id } = await create()
      const { fence } = (await tasks.claim(id, CLAIM))!
      const waiters = Array.from({ length: 10 }, () => untilTerminal(tasks, id, controller.signal))
      await tasks.settle(id, fence, FAILURE)
      expect((await Promise.all(waiters)).map((task) => task?.status)).toEqual(Array(10).fill('failed'))
    })

    test('what another process writes and deletes is seen', async () => {
      const task = sampleTask()
      await second.create(task, sampleMessage(task))
      const states = iterate(task.id)
      await states.next()
      const claimed = states.next()
      await second.claim(task.id, CLAIM)
      expect((await claimed).value).toMatchObject({ status: 'processing' })
      const deleted = states.next()
      await second.delete(task.id)
      expect((await deleted).value).toBeNull()
    })
  })
}
