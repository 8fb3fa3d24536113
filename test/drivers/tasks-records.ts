/** The store's small records: idempotency keys, ticks, cursors. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { DAY_MS } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { keyRequest, times } from './samples.ts'
import type { TaskSuite } from './tasks.ts'

export function describeRecords({ opened, create }: TaskSuite): void {
  let tasks: TaskStore
  let second: TaskStore
  beforeEach(() => {
    ;({ tasks, second } = opened())
  })

  describe('idempotency keys', () => {
    test('a new key is the caller’s; again it is busy until its lock is over', async () => {
      const request = keyRequest()
      const { taskId, lockedUntil, now } = request
      expect(await tasks.reserveKey(request)).toEqual({ taskId, owned: true, deleted: false, lockedUntil })
      const again = keyRequest({ now: lockedUntil - 1, lockedUntil: now + 90_000 })
      expect(await second.reserveKey(again)).toEqual({ taskId, owned: false, deleted: false, lockedUntil })
    })

    test('of 20 that reserve a key at once, one owns it, and all are told its task', async () => {
      const answers = await times(20, (i) => (i % 2 ? tasks : second).reserveKey(keyRequest()))
      const owners = answers.filter(({ owned }) => owned)
      expect(owners).toHaveLength(1)
      expect(new Set(answers.map(({ taskId }) => taskId))).toEqual(new Set([owners[0]!.taskId]))
    })

    test('when the lock is past, one of 20 takes it over, and keeps its task id', async () => {
      const request = keyRequest()
      const { taskId, lockedUntil } = request
      await tasks.reserveKey(request)
      const late = { now: lockedUntil, lockedUntil: lockedUntil + 60_000 }
      const answers = await times(20, (i) => (i % 2 ? tasks : second).reserveKey(keyRequest(late)))
      const rest = { taskId, deleted: false, lockedUntil: late.lockedUntil }
      expect(answers.filter(({ owned }) => owned)).toEqual([{ ...rest, owned: true }])
      const told = answers.filter(({ owned }) => !owned)
      expect(told).toHaveLength(19)
      for (const answer of told) expect(answer).toEqual({ ...rest, owned: false })
    })

    test('a key whose task exists is a replay, whatever its lock says', async () => {
      const request = keyRequest()
      await tasks.reserveKey(request)
      await create({ id: request.taskId })
      const late = keyRequest({ now: request.lockedUntil + 1 })
      expect(await tasks.reserveKey(late)).toMatchObject({ taskId: request.taskId, owned: false, deleted: false })
    })

    test('a key whose task was deleted says so until it expires', async () => {
      const request = keyRequest()
      await tasks.reserveKey(request)
      await create({ id: request.taskId })
      await tasks.delete(request.taskId)
      const late = keyRequest({ now: request.expiresAt - 1, expiresAt: request.expiresAt + DAY_MS })
      expect(await tasks.reserveKey(late)).toMatchObject({ taskId: request.taskId, owned: false, deleted: true })
      expect(await tasks.releaseKey(request.key, request.apiKeyId, request)).toBe(false)
      expect(await tasks.reserveKey(late)).toMatchObject({ deleted: true })
      const after = keyRequest({ now: request.expiresAt, expiresAt: request.expiresAt + DAY_MS })
      expect(await tasks.reserveKey(after)).toMatchObject({ taskId: after.taskId, owned: true, deleted: false })
    })

    test('keys of two API keys have nothing to do with each other, nor has another key', async () => {
      for (const own of [{}, { apiKeyId: 'k2' }, { key: 'order-2' }, { key: 'k1', apiKeyId: 'order-1' }]) {
        expect(await tasks.reserveKey(keyRequest(own))).toMatchObject({ owned: true })
      }
    })

    test('a renewed key is held for longer, a lock never gets shorter', async () => {
      const request = keyRequest()
      const { key, apiKeyId, lockedUntil } = request
      await tasks.reserveKey(request)
      await tasks.renewKey(key, apiKeyId, lockedUntil + 10_000)
      await tasks.renewKey(key, apiKeyId, lockedUntil - 10_000)
      const late = keyRequest({ now: lockedUntil + 9_999 })
      expect(await tasks.reserveKey(late)).toMatchObject({ owned: false, lockedUntil: lockedUntil + 10_000 })
      await tasks.renewKey('unknown', apiKeyId, lockedUntil)
    })

    test('a released key is free where its request made no task, else it stays', async () => {
      const first = keyRequest()
      await tasks.reserveKey(first)
      expect(await tasks.releaseKey(first.key, first.apiKeyId, first)).toBe(true)
      expect(await tasks.releaseKey(first.key, first.apiKeyId, first)).toBe(false)
      const next = keyRequest()
      expect(await tasks.reserveKey(next)).toMatchObject({ taskId: next.taskId, owned: true })
      await create({ id: next.taskId })
      expect(await tasks.releaseKey(next.key, next.apiKeyId, next)).toBe(false)
      expect(await tasks.reserveKey(keyRequest())).toMatchObject({ taskId: next.taskId, owned: false })
    })

    test('a key that another took over is not freed by whoever had it before', async () => {
      const first = keyRequest()
      await tasks.reserveKey(first)
      const late = { now: first.lockedUntil, lockedUntil: first.lockedUntil + 10_000 }
      expect(await tasks.reserveKey(keyRequest(late))).toMatchObject({ taskId: first.taskId, owned: true })
      expect(await tasks.releaseKey(first.key, first.apiKeyId, first)).toBe(false)
      expect(await tasks.reserveKey(keyRequest({ now: late.lockedUntil - 1 }))).toMatchObject({ owned: false })
      const { taskId } = first
      expect(await tasks.releaseKey(first.key, first.apiKeyId, { ...late, taskId: keyRequest().taskId })).toBe(false)
      expect(await tasks.releaseKey(first.key, first.apiKeyId, { ...late, taskId })).toBe(true)
    })

    test('prune forgets what is over and nothing else', async () => {
      const request = keyRequest()
      await tasks.reserveKey(request)
      await tasks.prune(request.expiresAt - 1)
      expect(await tasks.reserveKey(keyRequest())).toMatchObject({ taskId: request.taskId, owned: false })
      await tasks.prune(request.expiresAt)
      const other = keyRequest()
      expect(await tasks.reserveKey(other)).toMatchObject({ taskId: other.taskId, owned: true })
    })
  })

  describe('ticks, cursors', () => {
    test('of 20 that claim an instant, one wins; other instants and names are free', async () => {
      const slot = Date.now()
      const won = await times(20, (i) => (i % 2 ? tasks : second).claimTick('sweep', slot))
      expect(won.filter(Boolean)).toHaveLength(1)
      expect(await tasks.claimTick('sweep', slot + 1)).toBe(true)
      expect(await tasks.claimTick('other', slot)).toBe(true)
    })

    test('prune keeps ticks that a slow process could still claim', async () => {
      const now = Date.now()
      await tasks.claimTick('sweep', now - 60_000)
      await tasks.claimTick('sweep', now - 30 * DAY_MS)
      await tasks.prune(now)
      expect(await tasks.claimTick('sweep', now - 60_000)).toBe(false)
      expect(await tasks.claimTick('sweep', now - 30 * DAY_MS)).toBe(true)
    })

    test('a cursor is what was written last', async () => {
      const id = newTaskId()
      expect(await tasks.readCursor('gc')).toBeNull()
      await tasks.writeCursor('gc', 'a')
      await second.writeCursor('gc', id)
      await tasks.writeCursor('other', 'b')
      expect(await tasks.readCursor('gc')).toBe(id)
    })
  })
}
