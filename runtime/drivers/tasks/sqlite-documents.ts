/** The statements on task documents, for one connection. Whoever writes has a transaction open. */
import type { TaskQuery } from '#shared/bindings.ts'
import type { Task } from '#shared/task.ts'
import type { Prepare } from '../sqlite/statements.ts'

type Row = Record<string, unknown> | undefined

/** A document of before they were counted has no `uncounted`. */
function taskOf(row: Row): Task {
  const task = JSON.parse(String(row?.['document'])) as Task
  task.uncounted ??= 0
  return task
}

/** Sorts after every id: ids are lower-case hex. */
const AFTER_ALL_IDS = '~'

export interface Query {
  text: string
  values: (string | number)[]
}

/**
 * Walks one index in the order of the ids, never sorts: that of the first metadata pair, of the error code, of the
 * status, or of the ids alone. The unary plus keeps the planner off the index of a condition that only filters.
 */
export function listQuery({ status, code, metadata = {}, before = AFTER_ALL_IDS, limit }: TaskQuery): Query {
  const pairs = Object.entries(metadata)
  const [id, from] =
    pairs.length > 0 ? ['m0.task_id', `task_metadata m0 CROSS JOIN tasks t ON t.id = m0.task_id`] : ['t.id', 'tasks t']
  const conditions: string[] = []
  const values: (string | number)[] = []
  const where = (text: string, ...bound: string[]): void => {
    conditions.push(text)
    values.push(...bound)
  }
  for (const [i, pair] of pairs.entries()) {
    const isPair = `m${i}.key = ? AND m${i}.value = ?`
    const others = `EXISTS (SELECT 1 FROM task_metadata m${i} WHERE ${isPair} AND m${i}.task_id = t.id)`
    where(i === 0 ? isPair : others, ...pair)
  }
  where(`${id} < ?`, before)
  if (code !== undefined) where(`${pairs.length > 0 ? '+' : ''}t.error_code = ?`, code)
  if (status !== undefined) where(`${pairs.length > 0 || code !== undefined ? '+' : ''}t.status = ?`, status)
  return {
    text: `SELECT t.document FROM ${from} WHERE ${conditions.join(' AND ')} ORDER BY ${id} DESC LIMIT ?`,
    values: [...values, limit],
  }
}

export const DUE = 'SELECT document FROM tasks WHERE next_check_at <= ? ORDER BY next_check_at LIMIT ?'
export const EXPIRED =
  "SELECT id FROM tasks WHERE expires_at < ? AND +status IN ('completed', 'failed') ORDER BY expires_at LIMIT ?"

export interface Documents {
  read(id: string): Task | null
  /** False when the id is taken. */
  insert(task: Task): boolean
  replace(task: Task): void
  remove(task: Task): void
  list(query: TaskQuery): Task[]
  due(now: number, limit: number): Task[]
  expired(now: number, limit: number): string[]
}

export function sqliteDocuments(prepare: Prepare): Documents {
  return {
    read: (id) => {
      const row = prepare('SELECT document FROM tasks WHERE id = ?').get(id)
      return row ? taskOf(row) : null
    },
    insert: (task) => {
      const text = 'INSERT INTO tasks (id, document) VALUES (?, ?) ON CONFLICT DO NOTHING'
      if (prepare(text).run(task.id, JSON.stringify(task)).changes === 0) return false
      const pair = prepare('INSERT INTO task_metadata (key, value, task_id) VALUES (?, ?, ?)')
      for (const [key, value] of Object.entries(task.metadata)) pair.run(key, value, task.id)
      return true
    },
    replace: (task) => {
      prepare('UPDATE tasks SET document = ? WHERE id = ?').run(JSON.stringify(task), task.id)
    },
    remove: (task) => {
      prepare('DELETE FROM tasks WHERE id = ?').run(task.id)
      const pair = prepare('DELETE FROM task_metadata WHERE key = ? AND value = ? AND task_id = ?')
      for (const [key, value] of Object.entries(task.metadata)) pair.run(key, value, task.id)
    },
    list: (query) => {
      const { text, values } = listQuery(query)
      return prepare(text)
        .all(...values)
        .map(taskOf)
    },
    due: (now, limit) => prepare(DUE).all(now, limit).map(taskOf),
    expired: (now, limit) =>
      prepare(EXPIRED)
        .all(new Date(now).toISOString(), limit)
        .map((row) => String(row['id'])),
  }
}
