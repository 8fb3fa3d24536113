/** Tasks in memory, for tests: every rule of the store, none of its durability. */
import type { TaskQuery, TaskStore } from '#shared/bindings.ts'
import type { Message } from '#shared/message.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { watchChanges } from './changes.ts'
import { decideKey, isExpired, type KeyRecord, TICK_KEPT_MS } from './keys.ts'
import { advanced, claimed, postponed, settled, withCallback, withDerived, withoutOriginal } from './rules.ts'

function matches(task: Task, { status, code, metadata = {}, before }: TaskQuery): boolean {
  return (
    (status === undefined || task.status === status) &&
    (code === undefined || task.error?.code === code) &&
    (before === undefined || task.id < before) &&
    Object.entries(metadata).every(([key, value]) => task.metadata[key] === value)
  )
}

type KeyMethods = Pick<TaskStore, 'reserveKey' | 'renewKey' | 'releaseKey'>

function memoryKeys(tasks: ReadonlyMap<string, Task>) {
  const keys = new Map<string, KeyRecord>()
  const nameOf = (key: string, apiKeyId: string): string => JSON.stringify([apiKeyId, key])
  const unused = (name: string): KeyRecord | null => {
    const record = keys.get(name)
    return record && !record.deleted && !tasks.has(record.taskId) ? record : null
  }
  const methods: KeyMethods = {
    reserveKey: async (request) => {
      const name = nameOf(request.key, request.apiKeyId)
      const found = keys.get(name) ?? null
      const { answer, record } = decideKey(found, found !== null && tasks.has(found.taskId), request)
      if (record) keys.set(name, record)
      return answer
    },
    renewKey: async (key, apiKeyId, lockedUntil) => {
      const record = unused(nameOf(key, apiKeyId))
      if (record) record.lockedUntil = Math.max(record.lockedUntil, lockedUntil)
    },
    releaseKey: async (key, apiKeyId) => {
      const name = nameOf(key, apiKeyId)
      if (unused(name)) keys.delete(name)
    },
  }
  return { keys, methods }
}

function memoryTicks() {
  const ticks = new Map<string, number>()
  const claimTick: TaskStore['claimTick'] = async (name, slot) => {
    const tick = JSON.stringify([name, slot])
    if (ticks.has(tick)) return false
    ticks.set(tick, slot)
    return true
  }
  return { ticks, claimTick }
}

export interface MemoryTasksOptions {
  /** Hands a message over after the write. It may fail: the sweeper sends again what the document says is due. */
  send: (message: Message) => Promise<void>
}

export function memoryTasks({ send }: MemoryTasksOptions): TaskStore & { close(): Promise<void> } {
  const tasks = new Map<string, Task>()
  const cursors = new Map<string, string>()
  const { keys, methods } = memoryKeys(tasks)
  const { ticks, claimTick } = memoryTicks()
  const read = (id: string): Task | null => structuredClone(tasks.get(id) ?? null)
  const changes = watchChanges({ read })
  const sendIfPossible = (message: Message): Promise<void> => send(message).catch(() => {})

  /** Writes what `next` makes of the task; null when it is not there or `next` refuses. */
  function write(id: string, next: (task: Task) => Task | null): Task | null {
    const task = tasks.get(id)
    const changed = task ? next(task) : null
    if (!changed || changed === task) return changed
    // Cloned on the way in and out, as through a file: no caller holds the document itself.
    tasks.set(id, structuredClone(changed))
    changes.touch(id)
    return structuredClone(changed)
  }

  const sorted = (order: (a: Task, b: Task) => number, where: (task: Task) => boolean, limit: number): Task[] =>
    [...tasks.values()]
      .filter(where)
      .sort(order)
      .slice(0, limit)
      .map((task) => structuredClone(task))

  return {
    ...methods,
    claimTick,
    create: async (task, message) => {
      if (tasks.has(task.id)) return 'exists'
      tasks.set(task.id, structuredClone(task))
      changes.touch(task.id)
      await sendIfPossible(message)
      return 'created'
    },
    get: async (id) => read(id),
    list: async (query) =>
      sorted(
        (a, b) => (a.id < b.id ? 1 : -1),
        (task) => matches(task, query),
        query.limit,
      ),
    claim: async (id, claim) => {
      const task = write(id, (found) => claimed(found, claim, Date.now()))
      if (task) return { task, fence: task.deliveries }
      const terminal = read(id)
      return terminal ? { task: terminal, fence: 0 } : null
    },
    advance: async (id, fence, change) => write(id, (task) => advanced(task, fence, change, Date.now())) !== null,
    settle: async (id, fence, result, then = {}) => {
      const task = write(id, (found) => settled(found, fence, result, then, Date.now()))
      if (task && then.message) await sendIfPossible(then.message)
      return task !== null
    },
    recordDerived: async (id, variant, format, file) =>
      write(id, (task) => withDerived(task, variant, format, file)) !== null,
    recordCallback: async (id, callback, nextCheckAt) =>
      write(id, (task) => withCallback(task, callback, nextCheckAt, Date.now())) !== null,
    discardOriginal: async (id) => write(id, (task) => withoutOriginal(task, Date.now())) !== null,
    delete: async (id) => {
      const task = read(id)
      tasks.delete(id)
      for (const record of keys.values()) if (task && record.taskId === id) record.deleted = true
      changes.touch(id)
      return task
    },
    due: async (now, limit) =>
      sorted(
        (a, b) => (a.nextCheckAt ?? 0) - (b.nextCheckAt ?? 0),
        ({ nextCheckAt }) => nextCheckAt !== null && nextCheckAt <= now,
        limit,
      ),
    postpone: async (id, from, to) => write(id, (task) => postponed(task, from, to)) !== null,
    expired: async (now, limit) =>
      [...tasks.values()]
        .filter((task) => isTerminal(task) && task.expiresAt !== null && Date.parse(task.expiresAt) < now)
        .slice(0, limit)
        .map(({ id }) => id),
    prune: async (now) => {
      for (const [name, record] of keys) if (isExpired(record, now)) keys.delete(name)
      for (const [tick, slot] of ticks) if (slot < now - TICK_KEPT_MS) ticks.delete(tick)
    },
    readCursor: async (name) => cursors.get(name) ?? null,
    writeCursor: async (name, value) => {
      cursors.set(name, value)
    },
    changes: (id, signal) => changes.watch(id, signal),
    close: async () => changes.close(),
  }
}
