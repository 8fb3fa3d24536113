/** Tasks in memory, for tests: every rule of the store, none of its durability. */
import type { TaskQuery, TaskStore } from '#shared/bindings.ts'
import type { Message } from '#shared/message.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { watchChanges } from './changes.ts'
import { decideKey, isExpired, type KeyRecord, TICK_KEPT_MS } from './keys.ts'
import { bestEffort } from './outbox.ts'
import { advanced, claimed, fenceOf, postponed, settled, withCallback, withDerived, withoutOriginal } from './rules.ts'

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
    releaseKey: async (key, apiKeyId, { taskId, lockedUntil }) => {
      const name = nameOf(key, apiKeyId)
      const record = unused(name)
      return record?.taskId === taskId && record.lockedUntil === lockedUntil && keys.delete(name)
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

/** The documents by id. Cloned on the way in and out, as through a file: no caller holds a document itself. */
function memoryDocuments(onWrite: (id: string) => void) {
  const documents = new Map<string, Task>()
  const read = (id: string): Task | null => structuredClone(documents.get(id) ?? null)
  return {
    documents,
    read,
    put: (task: Task): void => {
      documents.set(task.id, structuredClone(task))
      onWrite(task.id)
    },
    remove: (id: string): Task | null => {
      const task = documents.get(id) ?? null
      documents.delete(id)
      if (task) onWrite(id)
      return task
    },
    /** Writes what `next` makes of the task; null when it is not there or `next` refuses. */
    write(id: string, next: (task: Task) => Task | null): Task | null {
      const task = documents.get(id)
      const changed = task ? next(task) : null
      if (changed && changed !== task) this.put(changed)
      return structuredClone(changed)
    },
    select: (where: (task: Task) => boolean, order: (a: Task, b: Task) => number, limit: number): Task[] =>
      structuredClone([...documents.values()].filter(where).sort(order).slice(0, limit)),
  }
}

type Documents = ReturnType<typeof memoryDocuments>
type Reads = Pick<TaskStore, 'get' | 'list' | 'due' | 'expired'>

const newestFirst = (a: Task, b: Task): number => (a.id < b.id ? 1 : -1)
const longestDueFirst = (a: Task, b: Task): number => (a.nextCheckAt ?? 0) - (b.nextCheckAt ?? 0)
const expiresBefore = (task: Task, now: number): boolean =>
  isTerminal(task) && task.expiresAt !== null && Date.parse(task.expiresAt) < now

function reads({ read, select }: Documents): Reads {
  return {
    get: async (id) => read(id),
    list: async (query) => select((task) => matches(task, query), newestFirst, query.limit),
    due: async (now, limit) =>
      select(({ nextCheckAt }) => nextCheckAt !== null && nextCheckAt <= now, longestDueFirst, limit),
    expired: async (now, limit) => select((task) => expiresBefore(task, now), newestFirst, limit).map(({ id }) => id),
  }
}

export interface MemoryTasksOptions {
  /** Hands a message over after the write. It may fail: the sweeper sends again what the document says is due. */
  send: (message: Message) => Promise<void>
}

export function memoryTasks(options: MemoryTasksOptions): TaskStore & { close(): Promise<void> } {
  const changes = watchChanges({ read: (id) => store.read(id) })
  const store = memoryDocuments((id) => changes.touch(id))
  const send = bestEffort(options.send)
  const cursors = new Map<string, string>()
  const { keys, methods } = memoryKeys(store.documents)
  const { ticks, claimTick } = memoryTicks()

  return {
    ...reads(store),
    ...methods,
    claimTick,
    create: async (task, message) => {
      if (store.documents.has(task.id)) return 'exists'
      store.put(task)
      await send(message)
      return 'created'
    },
    claim: async (id, claim) => {
      const task = store.write(id, (found) => claimed(found, claim, Date.now()))
      return task && { task, fence: fenceOf(task) }
    },
    advance: async (id, fence, change) => store.write(id, (task) => advanced(task, fence, change, Date.now())) !== null,
    settle: async (id, fence, result, then = {}) => {
      const task = store.write(id, (found) => settled(found, fence, result, then, Date.now()))
      if (task) await send(then.message)
      return task !== null
    },
    recordDerived: async (id, variant, format, file) =>
      store.write(id, (task) => withDerived(task, variant, format, file)) !== null,
    recordCallback: async (id, callback, nextCheckAt) =>
      store.write(id, (task) => withCallback(task, callback, nextCheckAt, Date.now())) !== null,
    discardOriginal: async (id) => store.write(id, (task) => withoutOriginal(task, Date.now())) !== null,
    delete: async (id) => {
      const task = store.remove(id)
      for (const record of keys.values()) if (task && record.taskId === id) record.deleted = true
      return task
    },
    postpone: async (id, from, to, lastError) =>
      store.write(id, (task) => postponed(task, from, to, lastError)) !== null,
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
