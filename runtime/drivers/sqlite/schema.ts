/** The tables, as a list of steps. A step that was released is never edited: a change is a new step at the end. */
import type { DatabaseSync } from 'node:sqlite'
import { transaction } from './transaction.ts'

const TASKS = `
  CREATE TABLE tasks (
    id TEXT PRIMARY KEY NOT NULL,
    document TEXT NOT NULL,
    status TEXT AS (document ->> '$.status') VIRTUAL,
    error_code TEXT AS (document ->> '$.error.code') VIRTUAL,
    next_check_at INTEGER AS (document ->> '$.nextCheckAt') VIRTUAL,
    expires_at TEXT AS (document ->> '$.expiresAt') VIRTUAL
  ) STRICT;
  CREATE INDEX tasks_by_status ON tasks (status, id);
  CREATE INDEX tasks_by_error_code ON tasks (error_code, id) WHERE error_code IS NOT NULL;
  CREATE INDEX tasks_by_next_check ON tasks (next_check_at) WHERE next_check_at IS NOT NULL;
  CREATE INDEX tasks_by_expiry ON tasks (expires_at) WHERE expires_at IS NOT NULL;

  CREATE TABLE task_metadata (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    task_id TEXT NOT NULL,
    PRIMARY KEY (key, value, task_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE idempotency_keys (
    api_key_id TEXT NOT NULL,
    key TEXT NOT NULL,
    task_id TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    locked_until INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (api_key_id, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX idempotency_keys_by_task ON idempotency_keys (task_id);
  CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);

  CREATE TABLE ticks (
    name TEXT NOT NULL,
    slot INTEGER NOT NULL,
    PRIMARY KEY (name, slot)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE cursors (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`

/** ready_at: when a message may be taken; for one that is taken, when its lease is over. The index covers the counts. */
const QUEUES = `
  CREATE TABLE queue_messages (
    seq INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    id TEXT NOT NULL,
    message TEXT NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    sent_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    lease TEXT,
    UNIQUE (queue, id)
  ) STRICT;
  CREATE INDEX queue_messages_by_time ON queue_messages (queue, ready_at, seq, lease, sent_at);

  CREATE TABLE dead_letters (
    seq INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    letter TEXT NOT NULL
  ) STRICT;
  CREATE INDEX dead_letters_by_queue ON dead_letters (queue, seq);
`

export const MIGRATIONS: readonly string[] = [TASKS + QUEUES]

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
}

/** Brings the file to the newest step; `PRAGMA user_version` counts the steps it has seen. */
export function migrate(db: DatabaseSync, migrations = MIGRATIONS): void {
  const newest = migrations.length
  if (versionOf(db) === newest) return
  transaction(db, () => {
    // Read again under the lock: two processes may start at once.
    const version = versionOf(db)
    if (version > newest) {
      throw new Error(
        `The SQLite file has schema ${version}, this version of the program knows ${newest}: it is older than the file.`,
      )
    }
    for (const step of migrations.slice(version)) db.exec(step)
    db.exec(`PRAGMA user_version = ${newest}`)
  })
}
