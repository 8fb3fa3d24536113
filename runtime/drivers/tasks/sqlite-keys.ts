/** Idempotency keys, ticks and cursors in SQLite: the small records beside the tasks. */
import type { KeyRequest, KeyReservation, TaskStore } from '#shared/bindings.ts'
import { attempt } from '../sqlite/errors.ts'
import type { SqliteFile } from '../sqlite/file.ts'
import { keptStatements, type Prepare } from '../sqlite/statements.ts'
import { decideKey, type KeyRecord, TICK_KEPT_MS } from './keys.ts'

type SmallRecords = Pick<
  TaskStore,
  'reserveKey' | 'renewKey' | 'releaseKey' | 'claimTick' | 'prune' | 'readCursor' | 'writeCursor'
>

const UNUSED = 'deleted = 0 AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = task_id)'

function readKey(prepare: Prepare, { apiKeyId, key }: KeyRequest): KeyRecord | null {
  const row = prepare('SELECT * FROM idempotency_keys WHERE api_key_id = ? AND key = ?').get(apiKeyId, key)
  if (!row) return null
  return {
    taskId: String(row['task_id']),
    deleted: row['deleted'] === 1,
    lockedUntil: Number(row['locked_until']),
    expiresAt: Number(row['expires_at']),
  }
}

function reserve(prepare: Prepare, request: KeyRequest): KeyReservation {
  const found = readKey(prepare, request)
  const taskExists = found !== null && prepare('SELECT 1 FROM tasks WHERE id = ?').get(found.taskId) !== undefined
  const { answer, record } = decideKey(found, taskExists, request)
  if (record) {
    prepare(
      `INSERT OR REPLACE INTO idempotency_keys (api_key_id, key, task_id, deleted, locked_until, expires_at)
       VALUES (?, ?, ?, 0, ?, ?)`,
    ).run(request.apiKeyId, request.key, record.taskId, record.lockedUntil, record.expiresAt)
  }
  return answer
}

/** Within the transaction that deletes the task: its keys answer that it is gone until they expire. */
export function markKeysDeleted(prepare: Prepare, taskId: string): void {
  prepare('UPDATE idempotency_keys SET deleted = 1 WHERE task_id = ?').run(taskId)
}

export function sqliteRecords(file: SqliteFile, what: string): SmallRecords {
  const durable = keptStatements(file.durable)
  const relaxed = keptStatements(file.relaxed)
  const commit = <T>(work: () => T): Promise<T> => attempt(what, () => file.commit(work))
  const write = (text: string, ...values: (string | number)[]): Promise<void> =>
    attempt(what, () => file.write(() => void relaxed(text).run(...values)))

  return {
    reserveKey: (request) => commit(() => reserve(durable, request)),
    renewKey: (key, apiKeyId, lockedUntil) =>
      write(
        `UPDATE idempotency_keys SET locked_until = max(locked_until, ?) WHERE api_key_id = ? AND key = ? AND ${UNUSED}`,
        lockedUntil,
        apiKeyId,
        key,
      ),
    releaseKey: (key, apiKeyId, { taskId, lockedUntil }) =>
      commit(() => {
        const held = `api_key_id = ? AND key = ? AND task_id = ? AND locked_until = ? AND ${UNUSED}`
        const statement = durable(`DELETE FROM idempotency_keys WHERE ${held}`)
        return statement.run(apiKeyId, key, taskId, lockedUntil).changes === 1
      }),
    claimTick: (name, slot) =>
      commit(
        () =>
          durable('INSERT INTO ticks (name, slot) VALUES (?, ?) ON CONFLICT DO NOTHING').run(name, slot).changes === 1,
      ),
    prune: (now) =>
      commit(() => {
        durable('DELETE FROM idempotency_keys WHERE expires_at <= ?').run(now)
        durable('DELETE FROM ticks WHERE slot < ?').run(now - TICK_KEPT_MS)
      }),
    readCursor: (name) =>
      attempt(what, () => {
        const row = relaxed('SELECT value FROM cursors WHERE name = ?').get(name)
        return row ? String(row['value']) : null
      }),
    writeCursor: (name, value) => write('INSERT OR REPLACE INTO cursors (name, value) VALUES (?, ?)', name, value),
  }
}
