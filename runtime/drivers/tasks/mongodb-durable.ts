/**
 * Reading what is durable. A server shows a write before it is on its disk, and to its majority: a reader could tell a
 * client that a task has ended, and a server that is killed the next moment forgets that it did.
 */
import type { Db, FindOptions } from 'mongodb'
import { MINUTE_MS } from '#shared/limits.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { DURABLE, READ, READ_MAJORITY } from '../mongodb/concerns.ts'
import { together } from '../together.ts'

/** An end older than this is durable: the journal is written ten times a second; the rest is for clocks that differ. */
const FRESH_MS = MINUTE_MS

/** Resolves once all that the server had when it was called is durable: a durable write comes after it in the log. */
export function flushes(): (db: Db) => Promise<void> {
  return together(async (db: Db) => {
    const counts = db.collection<{ _id: string; count: number }>('meta')
    await counts.updateOne({ _id: 'flushes' }, { $inc: { count: 1 } }, DURABLE)
  })
}

function isFreshEnd(task: Task): boolean {
  return isTerminal(task) && Date.parse(task.updatedAt) > Date.now() - FRESH_MS
}

/**
 * Tasks as `read` finds them. Where one of them ended a moment ago they are read once more when that is durable, as the
 * majority has them: what a primary had that is no more is not in that.
 */
export async function readDurable(
  read: (options: FindOptions) => Promise<Task[]>,
  flush: () => Promise<void>,
): Promise<Task[]> {
  const tasks = await read(READ)
  if (!tasks.some(isFreshEnd)) return tasks
  await flush()
  return await read(READ_MAJORITY)
}
