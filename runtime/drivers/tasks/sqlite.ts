/** Tasks in SQLite. Each write reads the document and writes the next one under the write lock. */
import type { TaskStore } from '#shared/bindings.ts'
import type { Message } from '#shared/message.ts'
import type { Task } from '#shared/task.ts'
import { attempt } from '../sqlite/errors.ts'
import type { SqliteFile } from '../sqlite/file.ts'
import { keptStatements } from '../sqlite/statements.ts'
import { POLL_MS, watchWrites } from '../sqlite/watch.ts'
import { type Changes, watchChanges } from './changes.ts'
import { bestEffort } from './outbox.ts'
import { advanced, claimed, fenceOf, postponed, settled, withCallback, withDerived, withoutOriginal } from './rules.ts'
import { type Documents, sqliteDocuments } from './sqlite-documents.ts'
import { markKeysDeleted, sqliteRecords } from './sqlite-keys.ts'

const WHAT = 'task store'

export interface SqliteTasksOptions {
  file: SqliteFile
  /** Adds the message within the transaction that writes the task, where the queue lies in the same file. */
  enqueue?: (message: Message) => void
  /** Hands the message over after the commit, where it does not. It may fail: the sweeper sends again what is due. */
  send?: (message: Message) => Promise<void>
  /** While anyone waits for a change: how often to ask whether another process wrote. */
  pollMs?: number
}

interface Writer {
  /** Writes what `next` makes of the task; null when it is not there or refused. `then` runs in the transaction. */
  durable(id: string, next: (task: Task) => Task | null, then?: () => void): Promise<Task | null>
  relaxed(id: string, next: (task: Task) => Task | null): Promise<Task | null>
}

function sqliteWriter(file: SqliteFile, durable: Documents, relaxed: Documents, changes: Changes): Writer {
  function write(documents: Documents, id: string, next: (task: Task) => Task | null, then?: () => void): Task | null {
    const task = documents.read(id)
    const changed = task ? next(task) : null
    if (changed && changed !== task) documents.replace(changed)
    if (changed) then?.()
    return changed
  }
  const touched = (task: Task | null): Task | null => {
    if (task) changes.touch(task.id)
    return task
  }
  return {
    durable: (id, next, then) =>
      attempt(WHAT, async () => touched(await file.commit(() => write(durable, id, next, then)))),
    relaxed: (id, next) => attempt(WHAT, async () => touched(await file.write(() => write(relaxed, id, next)))),
  }
}

export function sqliteTasks(options: SqliteTasksOptions): TaskStore & { close(): Promise<void> } {
  const { file, enqueue = () => {}, pollMs = POLL_MS } = options
  const prepareDurable = keptStatements(file.durable)
  const durable = sqliteDocuments(prepareDurable)
  const relaxed = sqliteDocuments(keptStatements(file.relaxed))
  const changes = watchChanges({
    read: (id) => attempt(WHAT, () => relaxed.read(id)),
    whileWatched: () => watchWrites(file.relaxed, pollMs, () => changes.touchAll()),
  })
  const write = sqliteWriter(file, durable, relaxed, changes)
  const send = bestEffort(options.send ?? (async () => {}))

  return {
    ...sqliteRecords(file, WHAT),
    create: (task, message) =>
      attempt(WHAT, async () => {
        const created = await file.commit(() => {
          if (!durable.insert(task)) return false
          enqueue(message)
          return true
        })
        if (!created) return 'exists'
        changes.touch(task.id)
        await send(message)
        return 'created'
      }),
    get: (id) => attempt(WHAT, () => relaxed.read(id)),
    list: (query) => attempt(WHAT, () => relaxed.list(query)),
    claim: async (id, claim) => {
      const task = await write.relaxed(id, (found) => claimed(found, claim, Date.now()))
      return task && { task, fence: fenceOf(task) }
    },
    advance: async (id, fence, change) =>
      (await write.relaxed(id, (task) => advanced(task, fence, change, Date.now()))) !== null,
    settle: async (id, fence, result, then = {}) => {
      const { message } = then
      const next = (task: Task): Task | null => settled(task, fence, result, then, Date.now())
      const task = await write.durable(id, next, () => message && enqueue(message))
      if (task) await send(message)
      return task !== null
    },
    recordDerived: async (id, variant, format, derived) =>
      (await write.durable(id, (task) => withDerived(task, variant, format, derived))) !== null,
    recordCallback: async (id, callback, nextCheckAt) =>
      (await write.durable(id, (task) => withCallback(task, callback, nextCheckAt, Date.now()))) !== null,
    discardOriginal: async (id) => (await write.durable(id, (task) => withoutOriginal(task, Date.now()))) !== null,
    delete: (id) =>
      attempt(WHAT, async () => {
        const task = await file.commit(() => {
          const found = durable.read(id)
          if (!found) return null
          durable.remove(found)
          markKeysDeleted(prepareDurable, id)
          return found
        })
        changes.touch(id)
        return task
      }),
    due: (now, limit) => attempt(WHAT, () => relaxed.due(now, limit)),
    postpone: async (id, from, to, lastError) =>
      (await write.relaxed(id, (task) => postponed(task, from, to, lastError))) !== null,
    expired: (now, limit) => attempt(WHAT, () => relaxed.expired(now, limit)),
    changes: (id, signal) => changes.watch(id, signal),
    close: async () => changes.close(),
  }
}
