/** What every task store must do, whatever it is made of. Each store's own test opens it and hands it over. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { type Message, taskSettled } from '#shared/message.ts'
import { newTaskId, type Task } from '#shared/task.ts'
import {
  completion,
  FAILURE,
  idOf,
  sampleDerived,
  sampleMessage,
  sampleSource,
  sampleTask,
  sampleVariant,
  times,
} from './samples.ts'
import { describeChanges } from './tasks-changes.ts'
import { describeRecords } from './tasks-records.ts'

export interface OpenedTaskStore {
  tasks: TaskStore
  /** The same tasks as another process has them; `tasks` itself where only one process can have them. */
  second: TaskStore
  /** What was handed to the queue so far. */
  sent(): Promise<Message[]>
  close(): Promise<void>
}

const CLAIM = { attempt: 1, nextCheckAt: 5_000 }
const FENCE_OF_TERMINAL = 0

export function describeTaskStore(name: string, open: () => Promise<OpenedTaskStore>): void {
  describe(`task store: ${name}`, () => {
    let opened: OpenedTaskStore
    let tasks: TaskStore
    beforeEach(async () => {
      opened = await open()
      tasks = opened.tasks
    })
    afterEach(() => opened.close())

    const create = async (overrides: Partial<Task> = {}): Promise<Task> => {
      const task = sampleTask(overrides)
      expect(await tasks.create(task, sampleMessage(task))).toBe('created')
      return task
    }
    const settledTask = async (overrides: Partial<Task> = {}, result = FAILURE): Promise<Task> => {
      const { id } = await create(overrides)
      const claim = await tasks.claim(id, CLAIM)
      const settlement = result.status === 'completed' ? completion(id) : result
      expect(await tasks.settle(id, claim!.fence, settlement)).toBe(true)
      return (await tasks.get(id))!
    }
    /** Of 20 callers, half through each store: how many were told true. */
    const winners = async (run: (store: TaskStore) => Promise<boolean>): Promise<number> =>
      (await times(20, (i) => run(i % 2 ? tasks : opened.second))).filter(Boolean).length

    describe('create, get', () => {
      test('what was created comes back as it was, and its message is handed over', async () => {
        const task = await create({ metadata: { 'a"b': "c'd", ü: '' }, fingerprint: 'f' })
        expect(await tasks.get(task.id)).toEqual(task)
        expect(await opened.second.get(task.id)).toEqual(task)
        expect(await opened.sent()).toEqual([expect.objectContaining({ id: `${task.id}.created`, subject: task.id })])
      })

      test('a taken id changes nothing and sends nothing', async () => {
        const task = await create()
        const other = sampleTask({ id: task.id, color: '#ffffff' })
        expect(await tasks.create(other, { ...sampleMessage(task), id: 'another' })).toBe('exists')
        expect(await tasks.get(task.id)).toEqual(task)
        expect(await opened.sent()).toHaveLength(1)
      })

      test('of 20 that create one id at once, one does', async () => {
        const task = sampleTask()
        expect(await winners(async (store) => (await store.create(task, sampleMessage(task))) === 'created')).toBe(1)
      })

      test('those that come at once get each their own answer', async () => {
        const taken = await create()
        const fresh = [sampleTask(), sampleTask()]
        const answers = await Promise.all(
          [fresh[0]!, taken, fresh[1]!].map((task) => tasks.create(task, sampleMessage(task))),
        )
        expect(answers).toEqual(['created', 'exists', 'created'])
        expect(await tasks.get(fresh[1]!.id)).toEqual(fresh[1])
      })

      test('an unknown id is null', async () => {
        expect(await tasks.get(newTaskId())).toBeNull()
      })

      test('a caller that changes what it got changes no document', async () => {
        const task = await create()
        const got = await tasks.get(task.id)
        got!.warnings.push('mine')
        expect(await tasks.get(task.id)).toEqual(task)
      })
    })

    describe('list', () => {
      test('is newest first, in pages that leave nothing out', async () => {
        const ids = [3, 1, 5, 2, 4].map(idOf)
        for (const id of ids) await create({ id })
        const newest = ids.toSorted().toReversed()
        const first = await tasks.list({ limit: 2 })
        const second = await tasks.list({ limit: 2, before: first[1]!.id })
        const third = await tasks.list({ limit: 2, before: second[1]!.id })
        expect([...first, ...second, ...third].map(({ id }) => id)).toEqual(newest)
        expect(await tasks.list({ limit: 2, before: newest.at(-1)! })).toEqual([])
      })

      test('filters by status, code and every metadata pair, together with paging', async () => {
        const both = { shop: 'a', 'or.der': '1"2' }
        const pending = await create({ id: idOf(1), metadata: both })
        const failed = await settledTask({ id: idOf(2), metadata: both })
        const failedAlone = await settledTask({ id: idOf(3), metadata: { shop: 'a' } })
        const completed = await settledTask({ id: idOf(4) }, completion(''))
        const list = async (query: object): Promise<string[]> =>
          (await tasks.list({ limit: 100, ...query })).map(({ id }) => id)
        expect(await list({ status: 'pending' })).toEqual([pending.id])
        expect(await list({ status: 'failed' })).toEqual([failedAlone.id, failed.id])
        expect(await list({ status: 'completed' })).toEqual([completed.id])
        expect(await list({ code: 'image-corrupt' })).toEqual([failedAlone.id, failed.id])
        expect(await list({ code: 'image-corrupt', status: 'completed' })).toEqual([])
        expect(await list({ code: 'source-timeout' })).toEqual([])
        expect(await list({ metadata: { shop: 'a' } })).toEqual([failedAlone.id, failed.id, pending.id])
        expect(await list({ metadata: both })).toEqual([failed.id, pending.id])
        expect(await list({ metadata: { shop: 'b' } })).toEqual([])
        expect(await list({ metadata: { ...both, third: '' } })).toEqual([])
        expect(await list({ metadata: both, status: 'failed', code: 'image-corrupt' })).toEqual([failed.id])
        expect(await list({ metadata: { shop: 'a' }, before: failedAlone.id, limit: 1 })).toEqual([failed.id])
        expect(await list({ status: 'failed', before: failedAlone.id })).toEqual([failed.id])
      })
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
        expect(await tasks.advance(id, fence, { source, lastError, nextCheckAt: 7_000 })).toBe(true)
        const { updatedAt: _updatedAt, ...rest } = (await tasks.get(id))!
        const { updatedAt: _before, ...claimed } = task
        expect(rest).toEqual({ ...claimed, progress: 0.5, source, lastError, nextCheckAt: 7_000 })
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
        expect(await tasks.due(1_999, 10)).toEqual([])
        expect(await tasks.due(2_000, 10)).toHaveLength(1)
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

    describeRecords(() => opened, create)
    describeChanges(() => opened, create)
  })
}
