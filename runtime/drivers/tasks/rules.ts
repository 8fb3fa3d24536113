/**
 * What a task's writes do, as pure functions from one document to the next. A store that can read and write under one
 * lock (memory, SQLite) applies them as they stand, so that both refuse the same things. Null means refused.
 */
import type { Advance, Settlement, SettleOptions } from '#shared/bindings.ts'
import type { DerivedFormat } from '#shared/message.ts'
import { type Callback, isTerminal, type Task, type TaskError } from '#shared/task.ts'
import type { StoredFile } from '#shared/variant.ts'

const rfc3339 = (ms: number): string => new Date(ms).toISOString()

/**
 * A terminal task comes back as it is. Attempts never fall: a message sent again by the sweeper starts at 1, the task's
 * tries do not.
 */
export function claimed(task: Task, claim: { attempt: number; nextCheckAt: number }, now: number): Task {
  if (isTerminal(task)) return task
  return {
    ...task,
    status: 'processing',
    attempts: Math.max(task.attempts, claim.attempt),
    deliveries: task.deliveries + 1,
    nextCheckAt: claim.nextCheckAt,
    updatedAt: rfc3339(now),
  }
}

/** A pending task has no delivery, so no fence holds it: 0, which a claim of a terminal task returns, matches nothing. */
function holds(task: Task, fence: number): boolean {
  return task.status === 'processing' && task.deliveries === fence
}

/** The fence of a task that `claimed` gave. */
export function fenceOf(task: Task): number {
  return isTerminal(task) ? 0 : task.deliveries
}

/** No client sees nextCheckAt: where nothing else changes, updatedAt stays. */
export function isEmpty(shown: Omit<Advance, 'nextCheckAt'>): boolean {
  return Object.values(shown).every((value) => value === undefined)
}

export function advanced(task: Task, fence: number, change: Advance, now: number): Task | null {
  if (!holds(task, fence)) return null
  const { nextCheckAt, ...shown } = change
  const { progress, source, lastError, uncounted } = shown
  return {
    ...task,
    ...(progress === undefined ? {} : { progress }),
    ...(source === undefined ? {} : { source }),
    ...(lastError === undefined ? {} : { lastError }),
    ...(uncounted === undefined ? {} : { uncounted }),
    ...(nextCheckAt === undefined ? {} : { nextCheckAt }),
    ...(isEmpty(shown) ? {} : { updatedAt: rfc3339(now) }),
  }
}

export function settled(
  task: Task,
  fence: number,
  result: Settlement,
  { message, nextCheckAt, ttlMs }: SettleOptions,
  now: number,
): Task | null {
  if (!holds(task, fence)) return null
  const ended = {
    completedAt: rfc3339(now),
    updatedAt: rfc3339(now),
    expiresAt: ttlMs === undefined || ttlMs === null ? null : rfc3339(now + ttlMs),
    // A message without a time is looked at by the next sweep: better a duplicate than a callback that is lost.
    nextCheckAt: nextCheckAt ?? (message ? now : null),
  }
  if (result.status === 'failed') return { ...task, ...ended, status: 'failed', error: result.error }
  const { variants, source, placeholder, color, warnings } = result
  const outcome = { variants, source, placeholder, color, warnings }
  return { ...task, ...ended, ...outcome, status: 'completed', progress: 1, error: null }
}

/** The task itself, unchanged, where that encoding is already recorded: the first one written is the one that counts. */
export function withDerived(task: Task, name: string, format: DerivedFormat, file: StoredFile): Task | null {
  const variant = task.variants.find((each) => each.name === name)
  if (!variant) return null
  if (variant.derived[format]) return task
  const grown = { ...variant, derived: { ...variant.derived, [format]: file } }
  return { ...task, variants: task.variants.map((each) => (each === variant ? grown : each)) }
}

export function withCallback(task: Task, callback: Callback, nextCheckAt: number | null, now: number): Task | null {
  if (!isTerminal(task) || task.callback?.status !== 'pending') return null
  return { ...task, callback, nextCheckAt, updatedAt: rfc3339(now) }
}

export function withoutOriginal(task: Task, now: number): Task {
  const isWaiting = !isTerminal(task) || task.callback?.status === 'pending'
  const nextCheckAt = isWaiting ? task.nextCheckAt : null
  if (task.source.key === null) return nextCheckAt === task.nextCheckAt ? task : { ...task, nextCheckAt }
  return { ...task, nextCheckAt, source: { ...task.source, key: null }, updatedAt: rfc3339(now) }
}

/** No client sees any of it, so updatedAt stays. */
export function postponed(task: Task, from: number, to: number, lastError?: TaskError): Task | null {
  return task.nextCheckAt === from ? { ...task, nextCheckAt: to, ...(lastError ? { lastError } : {}) } : null
}
