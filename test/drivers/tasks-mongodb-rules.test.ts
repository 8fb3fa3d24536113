/** MongoDB's filters and updates against the rules as functions: the same calls, one after another, to two stores. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { taskSettled } from '#shared/message.ts'
import { STATUSES } from '#shared/task.ts'
import { memoryTasks } from '../../runtime/drivers/tasks/memory.ts'
import { randomOf } from '../chaos/random.ts'
import { mongoServer } from '../servers/mongo.ts'
import { type MongoPair, openPair } from './mongo-store.ts'
import {
  CLAIM,
  completion,
  FAILURE,
  idOf,
  keyRequest,
  sampleDerived,
  sampleMessage,
  sampleSource,
  sampleTask,
} from './samples.ts'

const STEPS = 1_000
const LONG_MS = 120_000
const IDS = [1, 2, 3].map(idOf)
// Far ahead of the server's own clock, which forgets keys that are over.
const START = Date.parse('2100-01-01T00:00:00.000Z')
const METADATA = [{}, { 'a.b': '$c' }, { $ref: 'a', $id: 'b' }, { 'a.b': '$c', shop: '' }]

const server = await mongoServer()

type Call = (store: TaskStore) => Promise<unknown>

/** A call that anything may come of: each refuses as often as it does something. */
function callOf(random: () => number, now: number): [string, Call] {
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!
  const id = one(IDS)
  const fence = one([0, 1, 1, 2, 2, 3])
  const time = one([START, START, START + 1, now, now + 1_000])
  const callback = {
    url: 'https://a.test/',
    status: one(['pending', 'delivered'] as const),
    attempts: 1,
    lastStatus: null,
  }
  const request = keyRequest({
    key: one(['k', 'l']),
    taskId: id,
    now,
    lockedUntil: now + 500,
    expiresAt: now + one([800, 90_000]),
  })
  const pick = <T>(value: T): T | undefined => one([value, undefined])
  const calls: Record<string, Call> = {
    create: (store) => {
      const overrides = {
        metadata: one(METADATA),
        callback: one([null, { ...callback, status: 'pending' as const }]),
        nextCheckAt: time,
      }
      const task = sampleTask({ id, ...overrides })
      return store.create(task, sampleMessage(task))
    },
    get: (store) => store.get(id),
    claim: (store) => store.claim(id, { attempt: one([1, 2, 3]), nextCheckAt: time }),
    advance: (store) =>
      store.advance(id, fence, one([{ progress: 0.5 }, { nextCheckAt: time, source: sampleSource(id) }])),
    settle: (store) => {
      const then = {
        ...one([
          {},
          { nextCheckAt: time },
          { message: taskSettled(id) },
          { message: taskSettled(id), nextCheckAt: time },
        ]),
        ttlMs: one([null, 500]),
      }
      return store.settle(id, fence, one([completion(id), completion(id), FAILURE]), then)
    },
    recordDerived: (store) =>
      store.recordDerived(id, one(['10x10', '10x10', '20x20']), one(['webp', 'avif'] as const), sampleDerived(id)),
    recordCallback: (store) => store.recordCallback(id, callback, one([null, time])),
    discardOriginal: (store) => store.discardOriginal(id),
    delete: (store) => store.delete(id),
    postpone: (store) =>
      store.postpone(id, time, time + 1, pick({ code: 'processing-failed', message: 'silent' } as const)),
    due: async (store) => (await store.due(time, 100)).map((task) => task.id).sort(),
    expired: async (store) => (await store.expired(time, 100)).sort(),
    list: (store) => {
      const where = {
        status: pick(one(STATUSES)),
        code: pick('image-corrupt'),
        metadata: pick(one(METADATA)),
        before: pick(one(IDS)),
      }
      return store.list({ limit: one([1, 100]), ...(JSON.parse(JSON.stringify(where)) as object) })
    },
    reserveKey: (store) => store.reserveKey(request),
    renewKey: (store) => store.renewKey(request.key, request.apiKeyId, now + 700),
    releaseKey: (store) => {
      const held = { taskId: request.taskId, lockedUntil: one([request.lockedUntil, now + 700]) }
      return store.releaseKey(request.key, request.apiKeyId, held)
    },
    claimTick: (store) => store.claimTick('sweep', time),
    prune: (store) => store.prune(now),
  }
  // Most of the time something that changes a task.
  const often = [
    'create',
    'claim',
    'claim',
    'settle',
    'settle',
    'advance',
    'postpone',
    'recordDerived',
    'recordCallback',
  ]
  const name = one([...Object.keys(calls), ...often, ...often])
  return [`${name} ${id} ${fence} ${time}`, calls[name]!]
}

describe.skipIf(server === null)('on a MongoDB', () => {
  let pair: MongoPair
  beforeEach(async () => {
    pair = await openPair(server!)
    await pair.tasks.readCursor('ready')
    vi.useFakeTimers({ toFake: ['Date'], now: START })
  })
  afterEach(async () => {
    vi.useRealTimers()
    await pair.close()
  })

  test('what the rules say is what MongoDB does, call for call', { timeout: LONG_MS }, async () => {
    const rules = memoryTasks({ send: async () => {} })
    const random = randomOf(1)
    const accepted = new Set<string>()
    for (let step = 0; step < STEPS; step++) {
      vi.setSystemTime(Date.now() + Math.floor(random() * 400))
      // Drawn once, so that both are asked the same.
      const draws = Array.from({ length: 40 }, random)
      const call = () => {
        let i = 0
        return callOf(() => draws[i++]!, Date.now())
      }
      const [name, onRules] = call()
      const [, onMongo] = call()
      const expected = await onRules(rules)
      expect(await onMongo(pair.tasks), `${step}: ${name}`).toEqual(expected)
      if (expected !== null && expected !== false) accepted.add(name.split(' ')[0]!)
    }
    for (const id of IDS) expect(await pair.tasks.get(id)).toEqual(await rules.get(id))
    // Guards the guard: of each there were some that did something.
    const kinds = ['create', 'claim', 'advance', 'settle', 'postpone', 'recordDerived', 'recordCallback', 'delete']
    expect([...accepted]).toEqual(expect.arrayContaining(kinds))
  })

  test('keys of metadata are any words, also those that mean something to MongoDB or to JavaScript', async () => {
    const metadata = JSON.parse(
      '{"a.b":"1","$set":"2","$ref":"c","$id":"d","__proto__":"3","constructor":"4"," ":"5","0":"6"}',
    )
    const task = sampleTask({ metadata })
    await pair.tasks.create(task, sampleMessage(task))
    const got = (await pair.second.get(task.id))!
    const pairs = Object.entries<string>(metadata)
    expect(Object.entries(got.metadata)).toHaveLength(pairs.length)
    expect(Object.entries(got.metadata)).toEqual(expect.arrayContaining(pairs))
    for (const [key, value] of pairs) {
      const pairOf = Object.fromEntries([[key, value]])
      expect(await pair.tasks.list({ limit: 1, metadata: pairOf })).toHaveLength(1)
      expect(await pair.tasks.list({ limit: 1, metadata: Object.fromEntries([[key, 'x']]) })).toEqual([])
    }
  })

  test('of 100 that race for each change of a state, over and over, one wins', { timeout: LONG_MS }, async () => {
    vi.useRealTimers()
    const { tasks, second } = pair
    const raced = async (run: (store: TaskStore, i: number) => Promise<unknown>): Promise<unknown[]> =>
      await Promise.all(Array.from({ length: 100 }, (_, i) => run(i % 2 ? tasks : second, i)))
    const won = (answers: unknown[]): number => answers.filter(Boolean).length
    for (let round = 0; round < 2; round++) {
      const task = sampleTask({ nextCheckAt: 1_000 })
      const { id } = task
      const created = await raced(async (store) => (await store.create(task, sampleMessage(task))) === 'created')
      expect(won(created)).toBe(1)
      expect(won(await raced((store, i) => store.postpone(id, 1_000, 2_000 + i)))).toBe(1)
      const fences = (await raced(async (store) => (await store.claim(id, CLAIM))!.fence)) as number[]
      expect(fences.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
      expect(won(await raced((store) => store.settle(id, 100, FAILURE)))).toBe(1)
      const { now, lockedUntil } = keyRequest()
      const key = `key-${round}`
      expect(won(await raced(async (store) => (await store.reserveKey(keyRequest({ key }))).owned))).toBe(1)
      const late = { key, now: lockedUntil + 10_000, lockedUntil: now + 120_000 }
      expect(won(await raced(async (store) => (await store.reserveKey(keyRequest(late))).owned))).toBe(1)
      expect(won(await raced((store) => store.claimTick('sweep', now)))).toBe(1)
      expect(won(await raced((store) => store.delete(id)))).toBe(1)
    }
  })
})
