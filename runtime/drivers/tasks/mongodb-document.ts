/** A task as MongoDB holds it, the collection's shape and indexes, and the steps that brought them there. */
import type { Db } from 'mongodb'
import type { Task } from '#shared/task.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { DURABLE } from '../mongodb/concerns.ts'
import { ensureIndexes, installValidator, type NamedIndex } from '../mongodb/collections.ts'
import { type Migration, migrate } from '../mongodb/migrations.ts'
import { TICK_KEPT_MS } from './keys.ts'

/**
 * Metadata is a list: its keys are the client's words, and as names of fields `a.b` would be a path, `$ref` a reference
 * to another document. `revision` counts the changes that a reader can see.
 */
export interface TaskDocument extends Omit<Task, 'id' | 'metadata'> {
  _id: string
  metadata: { key: string; value: string }[]
  revision: number
}

export function documentOf(task: Task): TaskDocument {
  const { id, metadata, ...rest } = task
  const pairs = Object.entries(metadata).map(([key, value]) => ({ key, value }))
  return { _id: id, ...rest, metadata: pairs, revision: 0 }
}

export function taskOf(document: TaskDocument): Task {
  const { _id: id, metadata, revision: _, ...rest } = document
  // A document of before it was counted has none.
  return {
    id,
    ...rest,
    uncounted: rest.uncounted ?? 0,
    metadata: Object.fromEntries(metadata.map(({ key, value }) => [key, value])),
  }
}

/**
 * Newest first is the order of the ids, so that a listing walks `_id_` from its end, or one of these. Due and expiring
 * tasks are few of all: their indexes hold no other. None of them expires anything: that is for the sweeper, which
 * takes the files as well.
 */
export const TASK_INDEXES: readonly NamedIndex[] = [
  { name: 'tasks_by_status', key: { status: 1, _id: -1 } },
  {
    name: 'tasks_by_error_code',
    key: { 'error.code': 1, _id: -1 },
    partialFilterExpression: { 'error.code': { $exists: true } },
  },
  { name: 'tasks_by_metadata', key: { metadata: 1, _id: -1 } },
  {
    name: 'tasks_by_next_check',
    key: { nextCheckAt: 1 },
    partialFilterExpression: { nextCheckAt: { $gt: 0 } },
  },
  {
    name: 'tasks_by_expiry',
    key: { expiresAt: 1 },
    partialFilterExpression: { expiresAt: { $gt: '' } },
  },
]

export const KEY_INDEXES: readonly NamedIndex[] = [
  { name: 'keys_by_task', key: { taskId: 1 } },
  { name: 'keys_expire', key: { expiresAt: 1 }, expireAfterSeconds: 0 },
]

export const TICK_INDEXES: readonly NamedIndex[] = [
  { name: 'ticks_expire', key: { at: 1 }, expireAfterSeconds: TICK_KEPT_MS / SECOND_MS },
]

async function tasksAreValidated(db: Db, onError: (error: unknown) => void): Promise<void> {
  // Late: it is needed once in a database's life.
  const { taskJsonSchema } = await import('#shared/task-schema.ts')
  const { properties = {}, required = [], ...rest } = taskJsonSchema()
  const { id, metadata: _, ...fields } = properties
  const pair = { type: 'object', required: ['key', 'value'] }
  const strings = { key: { type: 'string' }, value: { type: 'string' } }
  const schema = {
    ...rest,
    properties: {
      _id: id!,
      ...fields,
      metadata: { type: 'array', items: { ...pair, properties: strings } },
      revision: { type: 'integer', minimum: 0 },
    },
    required: ['_id', 'revision', ...required.filter((name) => name !== 'id')],
  }
  await installValidator(db, 'tasks', schema, onError)
}

/** What a reader's flush is counted in: mongodb-durable.ts. */
async function flushesAreCounted(db: Db): Promise<void> {
  const flushes = db.collection<{ _id: string; count: number }>('meta')
  await flushes.updateOne({ _id: 'flushes' }, { $setOnInsert: { count: 0 } }, { ...DURABLE, upsert: true })
}

/** The first writes documents of `schemaVersion` 1. One that changes the shape installs its validator as well. */
export const MIGRATIONS: readonly Migration[] = [
  async (db, onError) => {
    await tasksAreValidated(db, onError)
    await flushesAreCounted(db)
  },
]

/** To be run before the first use, at every start: an index that was dropped by hand comes back. */
export async function prepareTasks(db: Db, owner: string, onError: (error: unknown) => void): Promise<void> {
  await migrate(db, MIGRATIONS, { owner, onError })
  await ensureIndexes(db, 'tasks', TASK_INDEXES, onError)
  await ensureIndexes(db, 'idempotencyKeys', KEY_INDEXES, onError)
  await ensureIndexes(db, 'ticks', TICK_INDEXES, onError)
}
