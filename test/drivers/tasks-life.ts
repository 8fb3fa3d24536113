/** Claims, fences and the one end of a task. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { taskSettled } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { CLAIM, completion, FAILURE, sampleSource, times } from './samples.ts'
import type { OpenedTaskStore, TaskSuite } from './tasks.ts'

const FENCE_OF_TERMINAL = 0

export function describeLife(context: TaskSuite): void {
  const { create, settledTask, winners } = context
  let opened: OpenedTaskStore
  let tasks: TaskStore
  beforeEach(() => {
    opened = context.opened()
    tasks = opened.tasks
  })

  describe('claim, advance', () => {
    test('a claim counts a delivery and sets status, attempts and nextCheckAt', async () => {
      const task = await create()
      const first = await tasks.claim(task.id, CLAIM)
      const { updatedAt, ...rest } = first!.task
      const { updatedAt: _before, ...expected } = task
      expect(first!.fence).toBe(1)
      expect(rest).toEqual({ ...expected, status: 'processing', attempts: 1, deliveries: 1, nextCheckAt: 5_000 })
      expect(updatedAt >= task.updatedAt).toBe(true)
      expect(await tasks.get(task.id)).toEqual(first!.task)
      const second = await opened.second.claim(task.id, { attempt: 2, nextCheckAt: 6_000 })
      expect(second).toMatchObject({ fence: 2, task: { attempts: 2, deliveries: 2, nextCheckAt: 6_000 } })
    })

    test('attempts never fall', async () => {
      const { id } = await create()
      await tasks.claim(id, { attempt: 3, nextCheckAt: 1 })
      expect((await tasks.claim(id, { attempt: 1, nextCheckAt: 1 }))!.task.attempts).toBe(3)
    })

    test('20 claims at once have 20 fences', async () => {
      const { id } = await create()
      const fences = await times(20, async (i) => (await (i % 2 ? tasks : opened.second).claim(id, CLAIM))!.fence)
      expect(fences.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    })

    test('a terminal task comes back unchanged with fence 0, an unknown one is null', async () => {
      const task = await settledTask()
      expect(await tasks.claim(task.id, CLAIM)).toEqual({ task, fence: FENCE_OF_TERMINAL })
      expect(await tasks.get(task.id)).toEqual(task)
      expect(await tasks.claim(newTaskId(), CLAIM)).toBeNull()
    })

    test('an advance changes what it names and nothing else', async () => {
      const { id } = await create()
      const { task, fence } = (await tasks.claim(id, CLAIM))!
      const lastError = { code: 'source-timeout', message: 'slow' } as const
      const source = { ...sampleSource(id), width: 99 }
      expect(await tasks.advance(id, fence, { progress: 0.5 })).toBe(true)
      expect(await tasks.get(id)).toMatchObject({ progress: 0.5, source: task.source, nextCheckAt: 5_000 })
      expect(await tasks.advance(id, fence, { source, lastError, uncounted: 1, nextCheckAt: 7_000 })).toBe(true)
      const { updatedAt: _updatedAt, ...rest } = (await tasks.get(id))!
      const { updatedAt: _before, ...claimed } = task
      expect(rest).toEqual({ ...claimed, progress: 0.5, source, lastError, uncounted: 1, nextCheckAt: 7_000 })
    })

    test('an advance clears the last error where it says so', async () => {
      const { id } = await create()
      const { fence } = (await tasks.claim(id, CLAIM))!
      const lastError = { code: 'source-timeout', message: 'slow' } as const
      await tasks.advance(id, fence, { lastError })
      await tasks.advance(id, fence, { progress: 0.5 })
      expect((await tasks.get(id))!.lastError).toEqual(lastError)
      expect(await tasks.advance(id, fence, { lastError: null })).toBe(true)
      expect((await opened.second.get(id))!.lastError).toBeNull()
    })

    test('an advance of nextCheckAt alone is nothing that a client could see', async () => {
      const { id } = await create()
      const { task, fence } = (await tasks.claim(id, CLAIM))!
      await new Promise((resolve) => setTimeout(resolve, 2))
      expect(await tasks.advance(id, fence, { nextCheckAt: 7_000 })).toBe(true)
      expect(await tasks.get(id)).toEqual({ ...task, nextCheckAt: 7_000 })
    })

    test('an older fence, a pending task, a terminal one and a missing one match nothing', async () => {
      const pending = await create()
      expect(await tasks.advance(pending.id, FENCE_OF_TERMINAL, { progress: 1 })).toBe(false)
      const { fence } = (await tasks.claim(pending.id, CLAIM))!
      const newer = (await opened.second.claim(pending.id, CLAIM))!
      expect(await tasks.advance(pending.id, fence, { progress: 1 })).toBe(false)
      expect(await tasks.get(pending.id)).toEqual(newer.task)
      const terminal = await settledTask()
      expect(await tasks.advance(terminal.id, terminal.deliveries, { progress: 0 })).toBe(false)
      expect(await tasks.advance(terminal.id, FENCE_OF_TERMINAL, { progress: 0 })).toBe(false)
      expect(await tasks.get(terminal.id)).toEqual(terminal)
      expect(await tasks.advance(newTaskId(), 1, { progress: 0 })).toBe(false)
    })
  })

  describe('settle', () => {
    test('completed: the result, its time and its expiry', async () => {
      const { id } = await create()
      const { fence } = (await tasks.claim(id, CLAIM))!
      expect(await tasks.settle(id, fence, completion(id), { ttlMs: 60_000 })).toBe(true)
      const task = (await tasks.get(id))!
      expect(task).toMatchObject({ ...completion(id), progress: 1, error: null, nextCheckAt: null })
      expect(task.updatedAt).toBe(task.completedAt)
      expect(Date.parse(task.expiresAt!)).toBe(Date.parse(task.completedAt!) + 60_000)
      expect(await opened.sent()).toHaveLength(1)
    })

    test('failed: the error; without ttlMs it never expires', async () => {
      const task = await settledTask()
      expect(task).toMatchObject({ ...FAILURE, expiresAt: null, nextCheckAt: null, variants: [] })
      expect(task.completedAt).not.toBeNull()
    })

    test('with a message: it is handed over, and nextCheckAt is kept', async () => {
      const { id } = await create()
      const { fence } = (await tasks.claim(id, CLAIM))!
      const message = taskSettled(id)
      expect(await tasks.settle(id, fence, FAILURE, { message, nextCheckAt: 9_000, ttlMs: null })).toBe(true)
      expect(await tasks.get(id)).toMatchObject({ nextCheckAt: 9_000, expiresAt: null })
      expect(await opened.sent()).toContainEqual(message)
    })

    test('a terminal status never changes, and nothing is sent twice', async () => {
      const task = await settledTask()
      const then = { message: taskSettled(task.id), nextCheckAt: 1 }
      for (const fence of [task.deliveries, FENCE_OF_TERMINAL, task.deliveries + 1]) {
        expect(await tasks.settle(task.id, fence, completion(task.id), then)).toBe(false)
      }
      expect(await tasks.get(task.id)).toEqual(task)
      expect(await opened.sent()).toHaveLength(1)
    })

    test('of 20 that settle at once, one does', async () => {
      const { id } = await create()
      const { fence } = (await tasks.claim(id, CLAIM))!
      const then = { message: taskSettled(id), nextCheckAt: 1 }
      expect(await winners((store) => store.settle(id, fence, FAILURE, then))).toBe(1)
      expect(await opened.sent()).toHaveLength(2)
    })

    test('an older fence, a pending task and a missing one match nothing', async () => {
      const { id } = await create()
      expect(await tasks.settle(id, FENCE_OF_TERMINAL, FAILURE)).toBe(false)
      const { fence } = (await tasks.claim(id, CLAIM))!
      const newer = (await opened.second.claim(id, CLAIM))!
      expect(await tasks.settle(id, fence, FAILURE)).toBe(false)
      expect(await tasks.get(id)).toEqual(newer.task)
      expect(await tasks.settle(id, newer.fence, FAILURE)).toBe(true)
      expect(await tasks.settle(newTaskId(), 1, FAILURE)).toBe(false)
    })
  })
}
