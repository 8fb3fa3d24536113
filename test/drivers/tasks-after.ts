/** What happens to a task once it has ended, and what the sweeper asks for. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { newTaskId } from '#shared/task.ts'
import { CLAIM, completion, FAILURE, sampleDerived, sampleVariant } from './samples.ts'
import type { OpenedTaskStore, TaskSuite } from './tasks.ts'

export function describeAfter(context: TaskSuite): void {
  const { create, settledTask, winners } = context
  let opened: OpenedTaskStore
  let tasks: TaskStore
  beforeEach(() => {
    opened = context.opened()
    tasks = opened.tasks
  })

  describe('after the end', () => {
    test('derived encodings are recorded; the first counts; status and updatedAt stay', async () => {
      const task = await settledTask({}, completion(''))
      const webp = sampleDerived(task.id)
      expect(await tasks.recordDerived(task.id, '10x10', 'webp', webp)).toBe(true)
      expect(await tasks.recordDerived(task.id, '10x10', 'webp', sampleDerived(task.id, 51))).toBe(true)
      expect(await tasks.get(task.id)).toEqual({
        ...task,
        variants: [{ ...sampleVariant(task.id), derived: { webp } }],
      })
      expect(await tasks.recordDerived(task.id, '20x20', 'webp', webp)).toBe(false)
      expect(await tasks.recordDerived(newTaskId(), '10x10', 'webp', webp)).toBe(false)
    })

    test('two encodings that are recorded at once are both kept', async () => {
      const { id } = await settledTask({}, completion(''))
      await Promise.all([
        tasks.recordDerived(id, '10x10', 'webp', sampleDerived(id)),
        opened.second.recordDerived(id, '10x10', 'avif', sampleDerived(id)),
      ])
      expect(Object.keys((await tasks.get(id))!.variants[0]!.derived).sort()).toEqual(['avif', 'webp'])
    })

    test('a callback is replaced while it is pending and the task terminal', async () => {
      const callback = { url: 'https://a.test/', status: 'pending', attempts: 0, lastStatus: null } as const
      const tried = { ...callback, attempts: 1, lastStatus: 500 }
      const delivered = { ...tried, status: 'delivered' } as const
      const early = await create({ callback })
      expect(await tasks.recordCallback(early.id, tried, 1)).toBe(false)
      const { id } = await settledTask({ callback })
      expect(await tasks.recordCallback(id, tried, 8_000)).toBe(true)
      expect(await tasks.get(id)).toMatchObject({ callback: tried, nextCheckAt: 8_000 })
      expect(await tasks.recordCallback(id, delivered, null)).toBe(true)
      expect(await tasks.get(id)).toMatchObject({ callback: delivered, nextCheckAt: null })
      expect(await tasks.recordCallback(id, tried, 1)).toBe(false)
      expect(await tasks.recordCallback((await settledTask()).id, tried, 1)).toBe(false)
      expect(await tasks.recordCallback(newTaskId(), tried, 1)).toBe(false)
    })

    test('a discarded original leaves no key', async () => {
      const { id, source } = await settledTask()
      expect(await tasks.discardOriginal(id)).toBe(true)
      expect((await tasks.get(id))!.source).toEqual({ ...source, key: null })
      expect(await tasks.discardOriginal(newTaskId())).toBe(false)
    })

    test('a discard leaves nothing to do but a callback that is pending', async () => {
      const at = async (id: string): Promise<unknown> => {
        const { nextCheckAt, source } = (await opened.second.get(id))!
        return { nextCheckAt, key: source.key }
      }
      const callback = { url: 'https://a.test/', status: 'pending', attempts: 0, lastStatus: null } as const
      const alone = await settledTask({}, FAILURE, { nextCheckAt: 9_000 })
      expect(alone.nextCheckAt).toBe(9_000)
      await tasks.discardOriginal(alone.id)
      expect(await at(alone.id)).toEqual({ nextCheckAt: null, key: null })
      const told = await settledTask({ callback }, FAILURE, { nextCheckAt: 9_000 })
      await tasks.discardOriginal(told.id)
      expect(await at(told.id)).toEqual({ nextCheckAt: 9_000, key: null })
      // Who told it saw the original as it was before.
      await tasks.recordCallback(told.id, { ...callback, status: 'delivered' }, 8_000)
      expect(await tasks.discardOriginal(told.id)).toBe(true)
      expect(await at(told.id)).toEqual({ nextCheckAt: null, key: null })
      const { id } = await create({ nextCheckAt: 7_000 })
      await tasks.discardOriginal(id)
      expect(await at(id)).toEqual({ nextCheckAt: 7_000, key: null })
    })

    test('delete returns what was there, once, and later writes match nothing', async () => {
      const { id } = await create({ metadata: { shop: 'a' } })
      const { task, fence } = (await tasks.claim(id, CLAIM))!
      expect(await tasks.delete(id)).toEqual(task)
      expect(await tasks.delete(id)).toBeNull()
      expect(await opened.second.get(id)).toBeNull()
      expect(await tasks.list({ limit: 1, metadata: { shop: 'a' } })).toEqual([])
      expect(await tasks.advance(id, fence, { progress: 1 })).toBe(false)
      expect(await tasks.settle(id, fence, FAILURE)).toBe(false)
      expect(await tasks.claim(id, CLAIM)).toBeNull()
      expect(await tasks.get(id)).toBeNull()
    })
  })

  describe('due, postpone, expired', () => {
    test('due at or before now, the longest due first, at most limit', async () => {
      const at = async (nextCheckAt: number | null): Promise<string> => (await create({ nextCheckAt })).id
      const [third, first, second] = [await at(1_000), await at(10), await at(999)]
      await at(1_001)
      await at(null)
      const due = async (limit: number): Promise<string[]> => (await tasks.due(1_000, limit)).map(({ id }) => id)
      expect(await due(10)).toEqual([first, second, third])
      expect(await due(2)).toEqual([first, second])
    })

    test('postpone moves the time for one of 20, who named what it was', async () => {
      const { id, updatedAt } = await create({ nextCheckAt: 1_000 })
      expect(await winners((store) => store.postpone(id, 1_000, 2_000))).toBe(1)
      expect(await tasks.get(id)).toMatchObject({ nextCheckAt: 2_000, updatedAt })
      expect(await tasks.postpone(id, 1_000, 3_000)).toBe(false)
      expect(await tasks.postpone(newTaskId(), 1_000, 3_000)).toBe(false)
      const lastError = { code: 'processing-failed', message: 'silent' } as const
      expect(await tasks.postpone(id, 1_000, 3_000, lastError)).toBe(false)
      expect((await tasks.get(id))!.lastError).toBeNull()
      expect(await tasks.due(1_999, 10)).toEqual([])
      expect(await tasks.due(2_000, 10)).toHaveLength(1)
      expect(await tasks.postpone(id, 2_000, 3_000, lastError)).toBe(true)
      expect(await tasks.get(id)).toMatchObject({ nextCheckAt: 3_000, lastError, updatedAt })
    })

    test('expired: terminal tasks whose time is before now', async () => {
      const expiresAt = '2026-01-01T00:00:00.000Z'
      const now = Date.parse(expiresAt)
      await create({ expiresAt })
      const terminal = await create({ status: 'failed', expiresAt })
      const other = await create({ status: 'completed', expiresAt })
      await create({ status: 'completed', expiresAt: null })
      expect(await tasks.expired(now, 10)).toEqual([])
      expect((await tasks.expired(now + 1, 10)).toSorted()).toEqual([terminal.id, other.id].toSorted())
      expect(await tasks.expired(now + 1, 1)).toHaveLength(1)
    })
  })
}
