/** SIGKILL of MongoDB in mid-write, over and over: what was acknowledged, or shown to a reader, is there afterwards. */
import { describe, expect, onTestFinished, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { taskSettled } from '#shared/message.ts'
import { isTerminal, type Status } from '#shared/task.ts'
import { CALL_MS } from '../../runtime/drivers/mongodb/connection.ts'
import { documentOf } from '../../runtime/drivers/tasks/mongodb-document.ts'
import { hasOwnMongo, type MongoOptions, ownMongo } from '../servers/mongo.ts'
import type { OwnServer } from '../servers/own.ts'
import { type MongoPair, openPair, untilAnswered } from './mongo-store.ts'
import { CLAIM, completion, keyRequest, sampleDerived, sampleMessage, sampleTask } from './samples.ts'

const ROUNDS = 4
const WRITERS = 6
/** Settled tasks after which the server is killed. */
const SETTLED = 15

/** What someone was told, and would be lied to about if it were not so afterwards. */
class Told {
  readonly created = new Set<string>()
  readonly settled = new Set<string>()
  readonly derived = new Set<string>()
  readonly deleted = new Set<string>()
  /** By key: the task it makes. */
  readonly keys = new Map<string, string>()
  /** By a reader, not by who ended it. */
  readonly seen = new Map<string, Status>()
}

/** A task's life, again and again, until the server is away. */
async function write({ tasks }: MongoPair, told: Told, live: Set<string>): Promise<void> {
  for (let n = 0; ; n++) {
    const task = sampleTask()
    const { id } = task
    const key = `key of ${id}`
    await tasks.reserveKey(keyRequest({ key, taskId: id }))
    told.keys.set(key, id)
    await tasks.create(task, sampleMessage(task))
    told.created.add(id)
    live.add(id)
    const { fence } = (await tasks.claim(id, CLAIM))!
    await tasks.settle(id, fence, completion(id), { message: taskSettled(id) })
    told.settled.add(id)
    if (n % 3 === 1) {
      await tasks.recordDerived(id, '10x10', 'webp', sampleDerived(id))
      told.derived.add(id)
    }
    if (n % 3 === 2) {
      await tasks.delete(id)
      told.deleted.add(id)
    }
  }
}

/** Reads all that was made, again and again, as clients that poll do. */
async function read({ second }: MongoPair, told: Told, live: Set<string>): Promise<void> {
  for (;;) {
    for (const id of live) {
      const task = await second.get(id)
      if (task && isTerminal(task)) told.seen.set(id, task.status)
      if (task === null || isTerminal(task)) live.delete(id)
    }
    await new Promise(setImmediate)
  }
}

async function verify({ tasks }: MongoPair, told: Told): Promise<void> {
  const lost: string[] = []
  const check = (what: string, id: string, isThere: boolean): void => {
    if (!isThere) lost.push(`${what} ${id}`)
  }
  for (const id of told.created) {
    const task = await tasks.get(id)
    const isEnded = task?.status === 'completed'
    // One whose deletion was under way may be gone without anyone having been told.
    const isGone = task === null && told.settled.has(id)
    check('created', id, task !== null || isGone)
    check('settled', id, !told.settled.has(id) || isEnded || isGone)
    check('seen', id, !told.seen.has(id) || isEnded || isGone)
    check('derived', id, !told.derived.has(id) || task?.variants[0]?.derived.webp !== undefined)
    check('deleted', id, !told.deleted.has(id) || task === null)
  }
  // Later than any lock.
  const now = Date.now() + 600_000
  for (const [key, taskId] of told.keys) {
    const answer = await tasks.reserveKey(keyRequest({ key, now, lockedUntil: now + 1 }))
    check('key', taskId, answer.taskId === taskId)
    check('deleted key', taskId, !told.deleted.has(taskId) || answer.deleted)
  }
  expect(lost).toEqual([])
}

/** A server and two stores on it, for one test. */
async function open(options: MongoOptions = {}): Promise<{ own: OwnServer; pair: MongoPair }> {
  const own = (await ownMongo(options))!
  const pair = await openPair(own.uri, { callMs: CALL_MS })
  onTestFinished(async () => {
    await Promise.all(pair.connections.map((mongo) => mongo.close()))
    await own[Symbol.asyncDispose]()
  })
  await untilAnswered(() => pair.tasks.readCursor('ready'))
  await untilAnswered(() => pair.second.readCursor('ready'))
  return { own, pair }
}

describe.each<[string, MongoOptions]>([
  ['a standalone server', {}],
  ['a replica set', { set: true }],
])('%s', (_name, options) => {
  test.skipIf(!hasOwnMongo(options))(
    'killed in mid-write it has lost nothing that anyone was told of',
    { timeout: 120_000 },
    async () => {
      const { own, pair } = await open(options)
      const told = new Told()
      for (let round = 0; round < ROUNDS; round++) {
        const before = told.settled.size
        const live = new Set<string>()
        const work = [...Array(WRITERS).fill(write), read].map((run: typeof write) => run(pair, told, live))
        const outcomes = Promise.allSettled(work)
        await expect.poll(() => told.settled.size, { interval: 5 }).toBeGreaterThanOrEqual(before + SETTLED)
        await own.kill()
        for (const outcome of await outcomes) {
          expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } })
        }
        await own.start()
        await untilAnswered(() => pair.tasks.readCursor('ready'))
      }
      await verify(pair, told)
      expect(told.settled.size).toBeGreaterThanOrEqual(ROUNDS * SETTLED)
      expect(told.seen.size).toBeGreaterThan(0)
    },
  )
})

describe.skipIf(!hasOwnMongo())('a reader', () => {
  /** Written, but not yet on the disk: what mongod shows to readers in the last moments before its journal is. */
  const UNSAFE = { writeConcern: { w: 1, journal: false } } as const

  const shown: Record<string, (tasks: TaskStore, id: string) => Promise<unknown>> = {
    get: (tasks, id) => tasks.get(id),
    list: async (tasks) => (await tasks.list({ limit: 1 }))[0],
    changes: async (tasks, id) => {
      for await (const task of tasks.changes(id, new AbortController().signal)) return task
      return null
    },
  }

  test.each(Object.entries(shown))(
    'is shown by %s no end that a kill takes back',
    { timeout: 60_000 },
    async (_name, show) => {
      const { own, pair } = await open()
      const task = sampleTask()
      await pair.tasks.create(task, sampleMessage(task))
      const end = { status: 'failed', updatedAt: new Date().toISOString() } as const
      await pair.connections[1].call('test', (db) =>
        db.collection<{ _id: string }>('tasks').updateOne({ _id: task.id }, { $set: end }, UNSAFE),
      )
      expect(await show(pair.tasks, task.id)).toMatchObject(end)
      await own.kill()
      await own.start()
      expect(await untilAnswered(() => pair.tasks.get(task.id))).toMatchObject(end)
    },
  )

  test('is told of no task by a key that a kill takes back', { timeout: 60_000 }, async () => {
    const { own, pair } = await open()
    const task = sampleTask()
    await pair.tasks.reserveKey(keyRequest({ taskId: task.id }))
    await pair.connections[1].call('test', (db) =>
      db.collection<{ _id: string }>('tasks').insertOne(documentOf(task), UNSAFE),
    )
    expect(await pair.tasks.reserveKey(keyRequest())).toMatchObject({ taskId: task.id, owned: false })
    await own.kill()
    await own.start()
    expect(await untilAnswered(() => pair.tasks.get(task.id))).toEqual(task)
  })
})

describe.skipIf(!hasOwnMongo())('a deletion', () => {
  test(
    'that a kill cuts in two, wherever, leaves no key that would make the task again',
    { timeout: 60_000 },
    async () => {
      const { own, pair } = await open()
      const { tasks, connections } = pair
      const COMMANDS = 3
      for (let nth = 1; nth <= COMMANDS; nth++) {
        const task = sampleTask()
        const { id } = task
        const key = `key of ${id}`
        const request = keyRequest({ key, taskId: id })
        await untilAnswered(() => tasks.reserveKey(request))
        await tasks.create(task, sampleMessage(task))
        let sent = 0
        const kills: Promise<void>[] = []
        const onCommand = (): void => {
          if (++sent === nth) kills.push(own.kill())
        }
        const { client } = await connections[0].call('test', async (db) => db)
        client.on('commandStarted', onCommand)
        await expect(tasks.delete(id)).rejects.toMatchObject({ code: 'unavailable' })
        client.off('commandStarted', onCommand)
        await Promise.all(kills)
        await own.start()
        const found = await untilAnswered(() => tasks.get(id))
        const late = keyRequest({ key, now: request.lockedUntil + 1, lockedUntil: request.lockedUntil + 2 })
        const answer = await untilAnswered(() => tasks.reserveKey(late))
        expect({ found, answer }).toMatchObject(found ? { answer: { owned: false } } : { answer: { deleted: true } })
        // As the client does that was not told of it.
        await tasks.delete(id)
        expect(await tasks.reserveKey(late)).toMatchObject({ owned: false, deleted: true })
      }
    },
  )
})
