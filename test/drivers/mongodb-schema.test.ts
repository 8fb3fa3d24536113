/** What the database checks and keeps in order: validator and indexes. */
import type { Db } from 'mongodb'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ensureIndexes, installValidator, mongoSchema } from '../../runtime/drivers/mongodb/collections.ts'
import {
  documentOf,
  KEY_INDEXES,
  prepareTasks,
  TASK_INDEXES,
  TICK_INDEXES,
} from '../../runtime/drivers/tasks/mongodb-document.ts'
import { beingDue, beingExpired, listing } from '../../runtime/drivers/tasks/mongodb-updates.ts'
import { mongoServer, realMongo } from '../servers/mongo.ts'
import { database, openPair } from './mongo-store.ts'
import { idOf, sampleTask, times } from './samples.ts'

const server = await mongoServer()
const mongod = await realMongo()

const fail = (error: unknown): never => {
  throw error
}

describe.skipIf(server === null)('on a MongoDB', () => {
  let db: Db
  beforeEach(async () => {
    db = await database(server!)
  })

  describe('the validator', () => {
    test('a document of another shape is refused, also as an update', async () => {
      await prepareTasks(db, 'me', fail)
      const tasks = db.collection<{ _id: string }>('tasks')
      const refused = { code: 121 }
      const task = sampleTask({ metadata: { a: 'b' } })
      const document = documentOf(task)
      await tasks.insertOne(document)
      for (const wrong of [
        { status: 'done' },
        { metadata: { a: 'b' } },
        { deliveries: 0.5 },
        { updatedAt: new Date() },
      ]) {
        await expect(tasks.insertOne({ ...document, ...wrong, _id: idOf(1) })).rejects.toMatchObject(refused)
      }
      const { fingerprint: _, ...partial } = document
      await expect(tasks.insertOne({ ...partial, _id: idOf(1) })).rejects.toMatchObject(refused)
      await expect(tasks.updateOne({ _id: task.id }, { $set: { progress: 2 } })).rejects.toMatchObject(refused)
    })

    test('what a later version adds is not refused, and what lies there already can still end', async () => {
      const tasks = db.collection<{ _id: string }>('tasks')
      const task = sampleTask()
      await tasks.insertOne({ ...documentOf(task), color: 7 } as { _id: string })
      await prepareTasks(db, 'me', fail)
      expect((await tasks.updateOne({ _id: task.id }, { $set: { status: 'failed' } })).modifiedCount).toBe(1)
      await tasks.insertOne({ ...documentOf(sampleTask()), ofVersion2: true } as { _id: string })
    })

    test('a server that knows none is told of and used', async () => {
      const told: unknown[] = []
      await installValidator(db, 'other', { noSuchKeyword: 1 }, (error) => void told.push(error))
      expect(told).toHaveLength(1)
      await db.collection('other').insertOne({})
    })

    test('the schema is told in the server’s dialect, and fields keep their names', () => {
      const fields = { type: { type: 'integer', default: 1 }, default: { enum: ['a'] } }
      const schema = {
        $schema: 'x',
        type: 'object',
        additionalProperties: false,
        properties: fields,
        anyOf: [{ type: 'integer' }],
      }
      expect(mongoSchema(schema)).toEqual({
        type: 'object',
        properties: { type: { type: 'number', multipleOf: 1 }, default: { enum: ['a'] } },
        anyOf: [{ type: 'number', multipleOf: 1 }],
      })
    })
  })

  describe('indexes', () => {
    const named = async (collection: string) =>
      (await db.collection(collection).indexes()).filter(({ name }) => name !== '_id_')

    test('are made once, whoever asks; one that was dropped comes back', async () => {
      await times(3, (i) => prepareTasks(db, `process ${i}`, fail))
      const names = TASK_INDEXES.map(({ name }) => name)
      expect((await named('tasks')).map(({ name }) => name)).toEqual(expect.arrayContaining(names))
      await db.collection('tasks').dropIndex(names[0]!)
      await prepareTasks(db, 'later', fail)
      expect(await named('tasks')).toHaveLength(names.length)
    })

    test('of a time to live there are two: on keys and on ticks, never on tasks', async () => {
      await prepareTasks(db, 'me', fail)
      const lives = async (collection: string) =>
        (await named(collection)).flatMap(({ expireAfterSeconds: seconds }) => (seconds === undefined ? [] : [seconds]))
      expect(await lives('tasks')).toEqual([])
      expect(await lives('idempotencyKeys')).toEqual([0])
      expect(await lives('ticks')).toEqual([86_400])
      expect([KEY_INDEXES, TICK_INDEXES].map((indexes) => indexes.length)).toEqual([2, 1])
    })

    test('one that someone made otherwise stays, is told of, and hinders no other', async () => {
      await db.collection('things').createIndex({ b: 1 }, { name: 'things_by_a' })
      const told: unknown[] = []
      const wanted = [
        { name: 'things_by_a', key: { a: 1 } },
        { name: 'things_by_c', key: { c: 1 } },
      ]
      await ensureIndexes(db, 'things', wanted, (error) => void told.push(error))
      expect(told).toHaveLength(1)
      expect((await named('things')).map(({ name }) => name)).toEqual(['things_by_a', 'things_by_c'])
    })

    test('each holds what its query asks for', async () => {
      await prepareTasks(db, 'me', fail)
      const pair = await openPair(server!)
      onTestFinished(() => pair.close())
      const tasks = db.collection<{ _id: string }>('tasks')
      const metadata = { a: '1', b: '2' }
      const error = { code: 'image-corrupt', message: '' } as const
      const expiresAt = '2026-01-01T00:00:00.000Z'
      const wanted = sampleTask({ status: 'failed', metadata, error, expiresAt, nextCheckAt: 1_000 })
      await tasks.insertMany([wanted, sampleTask({ nextCheckAt: null })].map(documentOf))
      const cases = [
        ['tasks_by_status', listing({ status: 'failed', limit: 1 })],
        ['tasks_by_error_code', listing({ code: 'image-corrupt', limit: 1 })],
        ['tasks_by_metadata', listing({ metadata, limit: 1 })],
        ['tasks_by_next_check', beingDue(1_000)],
        ['tasks_by_expiry', beingExpired(Date.parse(expiresAt) + 1)],
      ] as const
      expect(cases.map(([name]) => name)).toEqual(TASK_INDEXES.map(({ name }) => name))
      for (const [name, filter] of cases) {
        const found = await tasks
          .find(filter as object)
          .hint(name)
          .toArray()
        expect(found.map(({ _id }) => _id)).toEqual([wanted.id])
      }
    })
  })
})

describe.skipIf(mongod === null)('on mongod itself, from a container of mongo:7.0 where the server is another', () => {
  test('each query walks its index in the order of the answer: nothing is sorted', async () => {
    const db = await database(mongod!)
    await prepareTasks(db, 'me', fail)
    const statuses = ['pending', 'failed', 'completed'] as const
    const documents = Array.from({ length: 300 }, (_, i) => {
      const status = statuses[i % 3]!
      const error = status === 'failed' ? ({ code: 'image-corrupt', message: '' } as const) : null
      const expiresAt = status === 'pending' ? null : new Date(i).toISOString()
      return documentOf(sampleTask({ id: idOf(i), status, error, expiresAt, metadata: { a: String(i % 5), b: '2' } }))
    })
    const tasks = db.collection<{ _id: string }>('tasks')
    await tasks.insertMany(documents)
    const before = idOf(200)
    const newestFirst = { _id: -1 } as const
    const cases = [
      ['_id_', listing({ before, limit: 1 }), newestFirst],
      ['tasks_by_status', listing({ before, status: 'failed', limit: 1 }), newestFirst],
      ['tasks_by_error_code', listing({ before, code: 'image-corrupt', limit: 1 }), newestFirst],
      ['tasks_by_metadata', listing({ before, metadata: { a: '1', b: '2' }, limit: 1 }), newestFirst],
      ['tasks_by_next_check', beingDue(Date.now() + 120_000), { nextCheckAt: 1 }],
      ['tasks_by_expiry', beingExpired(200), { expiresAt: 1 }],
    ] as const
    for (const [name, filter, sort] of cases) {
      const { queryPlanner } = await tasks.find(filter as object, { sort, limit: 10 }).explain('queryPlanner')
      const plan = JSON.stringify(queryPlanner.winningPlan)
      expect(plan).toContain(`"indexName":"${name}"`)
      expect(plan).not.toMatch(/"stage":"(SORT|COLLSCAN)"/)
    }
  })
})
