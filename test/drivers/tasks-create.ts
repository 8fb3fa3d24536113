/** Creating, reading and listing tasks. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { newTaskId } from '#shared/task.ts'
import { completion, idOf, sampleMessage, sampleTask } from './samples.ts'
import type { OpenedTaskStore, TaskSuite } from './tasks.ts'

export function describeCreate(context: TaskSuite): void {
  const { create, settledTask, winners } = context
  let opened: OpenedTaskStore
  let tasks: TaskStore
  beforeEach(() => {
    opened = context.opened()
    tasks = opened.tasks
  })

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
}
