/** One SQLite file for tasks and queue, in the test's folder. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { readConfig } from '../../../runtime/config.ts'
import { openLocal } from '../../../stacks/local.ts'
import type { Stack } from './stacks.ts'

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

export const embedded: Stack = {
  name: 'embedded',
  isThere: true,
  env: () => ({}),
  open: (folder) =>
    openLocal(
      readConfig({
        STORAGE_INPUT_PATH: join(folder, 'input'),
        STORAGE_OUTPUT_PATH: join(folder, 'output'),
        SQLITE_FILE: fileOf(folder),
      }),
    ),
  close: async () => {},
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
