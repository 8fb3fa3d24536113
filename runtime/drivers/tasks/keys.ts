/** Idempotency keys: who may run a request, decided from the key's record and whether its task exists. */
import type { KeyRequest, KeyReservation } from '#shared/bindings.ts'
import { DAY_MS } from '#shared/limits.ts'

/** How long an instant of a timer is remembered: far longer than two processes' clocks may differ. */
export const TICK_KEPT_MS = DAY_MS

export interface KeyRecord {
  taskId: string
  deleted: boolean
  /** Unix ms, as is expiresAt. */
  lockedUntil: number
  expiresAt: number
}

export interface KeyDecision {
  answer: KeyReservation
  /** To be written, under the same lock as the reading; null when nothing changes. */
  record: KeyRecord | null
}

export function isExpired(record: KeyRecord, now: number): boolean {
  return record.expiresAt <= now
}

/**
 * A key that is absent or expired is the caller's. One whose task exists, or was deleted, is a replay. One whose request
 * still holds its lock is busy; when the lock is over, that request died, and its task id passes to the caller, so that
 * the two can never make two tasks.
 */
export function decideKey(record: KeyRecord | null, taskExists: boolean, request: KeyRequest): KeyDecision {
  const { lockedUntil, expiresAt, now } = request
  const own = (taskId: string): KeyDecision => ({
    answer: { taskId, owned: true, deleted: false, lockedUntil },
    record: { taskId, deleted: false, lockedUntil, expiresAt },
  })
  if (!record || isExpired(record, now)) return own(request.taskId)
  const settled = record.deleted || taskExists
  if (!settled && record.lockedUntil <= now) return own(record.taskId)
  const answer = {
    taskId: record.taskId,
    owned: false,
    deleted: record.deleted,
    lockedUntil: record.lockedUntil,
  }
  return { answer, record: null }
}
