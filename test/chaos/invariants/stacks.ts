/** The stacks over which the invariants are tested: how a test looks into their stores, and what it can make them lose. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { RuntimeBindings } from '../../../runtime/bindings.ts'
import { openLocal } from '../../../stacks/local.ts'
import { readConfig } from '../../../runtime/config.ts'

export interface Stack {
  name: string
  /** What a victim's environment must have for it. */
  env: Record<string, string>
  /** The test's own bindings on the stores of a folder. */
  open(folder: string): Promise<RuntimeBindings>
  /** Ids of the messages that wait or run. */
  messages(folder: string): Promise<string[]>
  loseMessage(folder: string, id: string): Promise<void>
  loseQueue(folder: string): Promise<void>
  /** Unfinished tasks whose message is not in the queue, at one instant. */
  forgotten(folder: string): Promise<string[]>
}

const fileOf = (folder: string): string => join(folder, 'tasks.sqlite')

function sqlite<T>(folder: string, use: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(fileOf(folder), { timeout: 10_000 })
  try {
    return use(db)
  } finally {
    db.close()
  }
}

const FORGOTTEN = `SELECT id FROM tasks WHERE status IN ('pending', 'processing')
  AND NOT EXISTS (SELECT 1 FROM queue_messages WHERE queue_messages.id = tasks.id || '.created')`

const embedded: Stack = {
  name: 'embedded',
  env: {},
  open: (folder) =>
    openLocal(
      readConfig({
        STORAGE_INPUT_PATH: join(folder, 'input'),
        STORAGE_OUTPUT_PATH: join(folder, 'output'),
        SQLITE_FILE: fileOf(folder),
      }),
    ),
  messages: async (folder) =>
    sqlite(folder, (db) =>
      db
        .prepare('SELECT id FROM queue_messages')
        .all()
        .map(({ id }) => String(id)),
    ),
  loseMessage: async (folder, id) =>
    sqlite(folder, (db) => void db.prepare('DELETE FROM queue_messages WHERE id = ?').run(id)),
  loseQueue: async (folder) => sqlite(folder, (db) => db.exec('DELETE FROM queue_messages')),
  forgotten: async (folder) =>
    sqlite(folder, (db) =>
      db
        .prepare(FORGOTTEN)
        .all()
        .map(({ id }) => String(id)),
    ),
}

export const STACKS: readonly Stack[] = [embedded]
