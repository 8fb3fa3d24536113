/**
 * Changes to what lies in the database, as a numbered list. Each is run once, by one process, while the others wait. A
 * step that was released is never edited: a change is a new step at the end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Collection, Db } from 'mongodb'
import { SECOND_MS } from '#shared/limits.ts'
import { DURABLE, READ } from './concerns.ts'
import { isDuplicate } from './errors.ts'

/** A process that died in the middle of a step holds the others up for so long. */
const LOCK_MS = 30 * SECOND_MS
const LOOK_MS = 200

/** Run again from its beginning when its process died in the middle of it: it must bear that. */
export type Migration = (db: Db, onError: (error: unknown) => void) => Promise<void>

export interface MigrateOptions {
  /** Who takes the lock. The same at each try of one process, so that what it left behind is no hindrance to it. */
  owner: string
  lockMs?: number
  /** Told of what a step did without. */
  onError?: (error: unknown) => void
}

interface SchemaDocument {
  _id: 'schema'
  /** How many steps the database has seen. */
  version: number
  lock: { owner: string; until: number } | null
}

type Schema = Collection<SchemaDocument>

const SCHEMA = { _id: 'schema' } as const

async function versionOf(schema: Schema): Promise<number> {
  return (await schema.findOne(SCHEMA, READ))?.version ?? 0
}

/** False while another process holds it. */
async function lock(schema: Schema, owner: string, lockMs: number): Promise<boolean> {
  const now = Date.now()
  try {
    const free = { ...SCHEMA, $or: [{ lock: null }, { 'lock.owner': owner }, { 'lock.until': { $lte: now } }] }
    const change = { $set: { lock: { owner, until: now + lockMs } }, $setOnInsert: { version: 0 } }
    // Where the document is there and locked, the upsert finds its id taken.
    await schema.updateOne(free, change, { ...DURABLE, upsert: true })
    return true
  } catch (error) {
    if (isDuplicate(error)) return false
    throw error
  }
}

type Run = (migration: Migration) => Promise<void>

async function runSteps(schema: Schema, owner: string, migrations: readonly Migration[], run: Run): Promise<void> {
  for (let version = await versionOf(schema); version < migrations.length; version++) {
    await run(migrations[version]!)
    const done = { ...SCHEMA, version, 'lock.owner': owner }
    const { matchedCount } = await schema.updateOne(done, { $set: { version: version + 1 } }, DURABLE)
    if (matchedCount === 0) throw new Error('The migration took so long that another process began it.')
  }
}

function keepLocked(schema: Schema, owner: string, lockMs: number): () => void {
  const own = { ...SCHEMA, 'lock.owner': owner }
  const timer = setInterval(() => {
    // When it fails, the lock runs out, and `runSteps` finds that it is another's.
    schema.updateOne(own, { $set: { 'lock.until': Date.now() + lockMs } }, DURABLE).catch(() => undefined)
  }, lockMs / 3)
  timer.unref()
  return () => clearInterval(timer)
}

/** Brings the database to the newest step. Resolves once it is there, whoever brought it. */
export async function migrate(
  db: Db,
  migrations: readonly Migration[],
  { owner, lockMs = LOCK_MS, onError = () => {} }: MigrateOptions,
): Promise<void> {
  const schema = db.collection<SchemaDocument>('meta')
  const newest = migrations.length
  for (;;) {
    const version = await versionOf(schema)
    if (version === newest) return
    if (version > newest) {
      throw new Error(
        `The database has schema ${version}, this version of the program knows ${newest}: it is older than the database.`,
      )
    }
    if (await lock(schema, owner, lockMs)) break
    await sleep(LOOK_MS)
  }
  const unlock = keepLocked(schema, owner, lockMs)
  try {
    await runSteps(schema, owner, migrations, (migration) => migration(db, onError))
  } finally {
    unlock()
    // Where this fails too, the lock runs out.
    const own = { ...SCHEMA, 'lock.owner': owner }
    await schema.updateOne(own, { $set: { lock: null } }, DURABLE).catch(() => undefined)
  }
}
