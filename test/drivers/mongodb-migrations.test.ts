import type { Db } from 'mongodb'
import { beforeEach, describe, expect, test } from 'vitest'
import { migrate, type Migration } from '../../runtime/drivers/mongodb/migrations.ts'
import { mongoServer } from '../servers/mongo.ts'
import { database } from './mongo-store.ts'
import { times } from './samples.ts'

const server = await mongoServer()

interface Counted {
  _id: string
  runs: number
  schemaVersion?: number
}

describe.skipIf(server === null)('on a MongoDB', () => {
  let db: Db
  beforeEach(async () => {
    db = await database(server!)
  })

  const things = () => db.collection<Counted>('things')
  const add: Migration = async (db) => {
    await db.collection<Counted>('things').updateOne({ _id: 'a' }, { $inc: { runs: 1 } }, { upsert: true })
  }
  const toVersion2: Migration = async (db) => {
    await db
      .collection<Counted>('things')
      .updateMany({ schemaVersion: 1 }, { $set: { schemaVersion: 2 }, $inc: { runs: 1 } })
  }

  test('each is run once, by one of ten that start at once; the others wait for it', async () => {
    await times(10, async (i) => {
      await migrate(db, [add], { owner: `process ${i}` })
      expect(await things().findOne({ _id: 'a' })).toMatchObject({ runs: 1 })
    })
    await things().insertOne({ _id: 'b', runs: 0, schemaVersion: 1 })
    await times(10, (i) => migrate(db, [add, toVersion2], { owner: `process ${i}` }))
    expect(await things().find().toArray()).toEqual([
      { _id: 'a', runs: 1 },
      { _id: 'b', runs: 1, schemaVersion: 2 },
    ])
  })

  test('a step that fails is run again by the next who starts, not those before it', async () => {
    const steps = [add, () => Promise.reject(new Error('half-way'))]
    await expect(migrate(db, steps, { owner: 'a' })).rejects.toThrow('half-way')
    await migrate(db, [add, toVersion2], { owner: 'b' })
    expect(await things().findOne({ _id: 'a' })).toMatchObject({ runs: 1 })
  })

  test('who dies in a step holds the others up for the lock’s time alone; alive it keeps the lock', async () => {
    const lockMs = 1_500
    const begun = Promise.withResolvers<void>()
    const end = Promise.withResolvers<void>()
    const slow: Migration = async () => {
      begun.resolve()
      await end.promise
    }
    const first = migrate(db, [slow], { owner: 'slow', lockMs })
    await begun.promise
    let ran = false
    const second = migrate(db, [async () => void (ran = true)], { owner: 'second', lockMs })
    // Renewed again and again: longer than its time.
    const until = async () => (await db.collection('meta').findOne<{ lock: { until: number } }>({}))!.lock.until
    const atFirst = await until()
    await expect.poll(until).toBeGreaterThan(atFirst + lockMs)
    expect(ran).toBe(false)
    end.resolve()
    await Promise.all([first, second])
    expect(ran).toBe(false)

    await db.collection('meta').updateOne({}, { $set: { lock: { owner: 'dead', until: Date.now() + lockMs } } })
    await migrate(db, [slow, async () => void (ran = true)], { owner: 'third', lockMs })
    expect(ran).toBe(true)
  })

  test('a program that is older than the database does not touch it', async () => {
    await migrate(db, [add, toVersion2], { owner: 'new' })
    await expect(migrate(db, [add], { owner: 'old' })).rejects.toThrow(/schema 2, .* knows 1/)
  })
})
