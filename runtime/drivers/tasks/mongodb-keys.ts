/** Idempotency keys, ticks and cursors in MongoDB: the small records beside the tasks. */
import type { Collection, Db } from 'mongodb'
import type { KeyRequest, KeyReservation, TaskStore } from '#shared/bindings.ts'
import { taskStoreAway } from '#shared/errors.ts'
import { DURABLE, READ, RELAXED } from '../mongodb/concerns.ts'
import type { MongoConnection } from '../mongodb/connection.ts'
import { isDuplicate } from '../mongodb/errors.ts'
import { decideKey, type KeyRecord, TICK_KEPT_MS } from './keys.ts'

type SmallRecords = Pick<
  TaskStore,
  'reserveKey' | 'renewKey' | 'releaseKey' | 'claimTick' | 'prune' | 'readCursor' | 'writeCursor'
>

/** A record's key is one string, whatever is in its parts. */
const nameOf = (...parts: (string | number)[]): string => JSON.stringify(parts)

/** The server forgets it at `expiresAt`, which is why that is a Date. */
interface KeyDocument extends Omit<KeyRecord, 'expiresAt'> {
  _id: string
  expiresAt: Date
}

interface TickDocument {
  _id: string
  /** The instant itself. */
  at: Date
}

interface CursorDocument {
  _id: string
  value: string
}

/** A reservation that loses to another's write looks again. Each loss is someone's win, so that few are in a row. */
const TRIES_MAX = 100

function keysOf(db: Db): Collection<KeyDocument> {
  return db.collection('idempotencyKeys')
}

async function taskExists(db: Db, id: string): Promise<boolean> {
  return (
    (await db.collection<{ _id: string }>('tasks').findOne({ _id: id }, { ...READ, projection: { _id: 1 } })) !== null
  )
}

/** The key's record as long as its request has made no task. */
async function unused(db: Db, key: string, apiKeyId: string): Promise<KeyDocument | null> {
  const found = await keysOf(db).findOne({ _id: nameOf(apiKeyId, key), deleted: false }, READ)
  return found && !(await taskExists(db, found.taskId)) ? found : null
}

async function insertKey(keys: Collection<KeyDocument>, document: KeyDocument): Promise<boolean> {
  try {
    await keys.insertOne(document, DURABLE)
    return true
  } catch (error) {
    if (isDuplicate(error)) return false
    throw error
  }
}

/** Null when another's write came in between. */
async function tryReserve(
  db: Db,
  request: KeyRequest,
  flush: (db: Db) => Promise<void>,
): Promise<KeyReservation | null> {
  const keys = keysOf(db)
  const name = nameOf(request.apiKeyId, request.key)
  const found = await keys.findOne({ _id: name }, READ)
  const current = found && { ...found, expiresAt: found.expiresAt.getTime() }
  const { answer, record } = decideKey(current, current !== null && (await taskExists(db, current.taskId)), request)
  if (!record) {
    // Of the task that it names the client will be told that it is accepted.
    await flush(db)
    return answer
  }
  const next = { ...record, expiresAt: new Date(record.expiresAt) }
  if (!found) return (await insertKey(keys, { _id: name, ...next })) ? answer : null
  const { taskId, deleted, lockedUntil, expiresAt } = found
  const asFound = { _id: name, taskId, deleted, lockedUntil, expiresAt }
  const { matchedCount } = await keys.updateOne(asFound, { $set: next }, DURABLE)
  return matchedCount === 1 ? answer : null
}

/** Before the task goes: were it marked after, a crash in between would have the key make the task again. */
export async function markKeysDeleted(db: Db, taskId: string): Promise<void> {
  await keysOf(db).updateMany({ taskId }, { $set: { deleted: true } }, DURABLE)
}

/** Two that write a new record at once: one inserts it, the other finds it there when it tries again. */
async function upsert(write: () => Promise<unknown>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!isDuplicate(error)) throw error
    await write()
  }
}

export function mongoRecords(mongo: MongoConnection, what: string, flush: (db: Db) => Promise<void>): SmallRecords {
  const call = <T>(work: (db: Db) => Promise<T>): Promise<T> => mongo.call(what, work)
  const ticksOf = (db: Db): Collection<TickDocument> => db.collection('ticks')
  const cursorsOf = (db: Db): Collection<CursorDocument> => db.collection('cursors')

  return {
    reserveKey: (request) =>
      call(async (db) => {
        for (let tries = 0; tries < TRIES_MAX; tries++) {
          const answer = await tryReserve(db, request, flush)
          if (answer) return answer
        }
        throw taskStoreAway(what)
      }),
    renewKey: (key, apiKeyId, lockedUntil) =>
      call(async (db) => {
        const found = await unused(db, key, apiKeyId)
        if (!found) return
        const { _id } = found
        await keysOf(db).updateOne({ _id, deleted: false }, { $max: { lockedUntil } }, RELAXED)
      }),
    releaseKey: (key, apiKeyId, { taskId, lockedUntil }) =>
      call(async (db) => {
        if (await taskExists(db, taskId)) return false
        const held = { _id: nameOf(apiKeyId, key), taskId, lockedUntil, deleted: false }
        const { deletedCount } = await keysOf(db).deleteOne(held, DURABLE)
        return deletedCount === 1
      }),
    claimTick: (name, slot) =>
      call(async (db) => {
        try {
          await ticksOf(db).insertOne({ _id: nameOf(name, slot), at: new Date(slot) }, DURABLE)
          return true
        } catch (error) {
          if (isDuplicate(error)) return false
          throw error
        }
      }),
    // The server forgets them by itself, in its own time.
    prune: (now) =>
      call(async (db) => {
        await keysOf(db).deleteMany({ expiresAt: { $lte: new Date(now) } }, DURABLE)
        await ticksOf(db).deleteMany({ at: { $lt: new Date(now - TICK_KEPT_MS) } }, DURABLE)
      }),
    readCursor: (name) => call(async (db) => (await cursorsOf(db).findOne({ _id: name }, READ))?.value ?? null),
    writeCursor: (name, value) =>
      call(async (db) => {
        const options = { ...RELAXED, upsert: true }
        await upsert(() => cursorsOf(db).updateOne({ _id: name }, { $set: { value } }, options))
      }),
  }
}
