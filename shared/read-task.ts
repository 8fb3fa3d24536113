/** Reading a task cache-aside, and what the cache is told of one. Only what can no longer change is ever held. */
import type { Bindings } from './bindings.ts'
import { Problem } from './errors.ts'
import { MINUTE_MS } from './limits.ts'
import { isSettled, TASK_ID, type Task } from './task.ts'

/**
 * How long a settled task is served without asking the store. Short, because derived encodings are recorded after it
 * was cached, and because a cache in memory hears nothing of a deletion by another process.
 */
export const TASK_CACHE_MS = MINUTE_MS
/** Longer than any reader can stay between its read of the store and its `add`, so that none revives a deleted task. */
export const TOMBSTONE_MS = 10 * MINUTE_MS

export interface Tombstone {
  deleted: true
}

export const TOMBSTONE: Tombstone = { deleted: true }

export function taskCacheKey(id: string): string {
  return `task:${id}`
}

export function isTaskCacheKey(key: string): boolean {
  const id = key.slice(key.indexOf(':') + 1)
  return TASK_ID.test(id) && key === taskCacheKey(id)
}

/** An original that is to be discarded changes the document once more after the task has settled. */
function isFinal(task: Task): boolean {
  const discarding = task.status === 'completed' && task.options.original === 'discard' && task.source.key !== null
  return isSettled(task) && !discarding
}

/** What lies in the cache under a task's key; null for whatever another version of this code may have put there. */
function cached(value: unknown, id: string): Task | Tombstone | null {
  if (typeof value !== 'object' || value === null) return null
  const entry = value as Partial<Task & Tombstone>
  if (entry.deleted === true) return TOMBSTONE
  return entry.id === id && entry.schemaVersion === 1 ? (entry as Task) : null
}

/** The task, or null when it is unknown, deleted or its id is none. Its `derived` may be older than the store's. */
export async function readTask(env: Pick<Bindings, 'tasks' | 'cache'>, id: string): Promise<Task | null> {
  if (!TASK_ID.test(id)) return null
  const key = taskCacheKey(id)
  const hit = cached(await env.cache.get(key), id)
  if (hit) return 'deleted' in hit ? null : hit
  const task = await env.tasks.get(id)
  if (task && isFinal(task)) await env.cache.add(key, task, TASK_CACHE_MS)
  return task
}

export function taskNotFound(id: string): Problem {
  return new Problem('not-found', `There is no task ${JSON.stringify(id.slice(0, 64))}.`)
}

/**
 * The task, for a function whose trigger has `auth: 'link'`. Throws Problem `not-found`; and for a caller with neither
 * key nor link `unauthorized` unless the task is public, unknown ids included, so that nothing tells which ones exist.
 */
export async function readTaskFor(env: Pick<Bindings, 'tasks' | 'cache' | 'invocation'>, id: string): Promise<Task> {
  const task = await readTask(env, id)
  if (env.invocation.caller.kind === 'anonymous' && task?.options.access !== 'public') {
    throw new Problem('unauthorized', 'Expected an API key or a signed link, got neither.', {
      headers: { 'WWW-Authenticate': 'Bearer' },
    })
  }
  if (!task) throw taskNotFound(id)
  env.invocation.taskId(id)
  return task
}
