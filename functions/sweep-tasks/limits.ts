import { CHECK_LEASE_MS, MINUTE_MS, SECOND_MS } from '#shared/limits.ts'

/** Tasks that one question to the store brings. */
export const BATCH_TASKS = 100
/** When a task that was sent again is looked at next, unless its delivery says otherwise before. */
export const RESEND_AGAIN_MS = CHECK_LEASE_MS
/** The longest time between two messages for a task that nobody has begun. */
export const RESEND_WAITING_MS_MAX = 5 * MINUTE_MS
/** When a task is looked at next whose queue did not take its message: by the next run. */
export const QUEUE_AWAY_MS = 10 * SECOND_MS
/** Of a run's time, kept for writing down how far it came: past the deadline nothing can be written. */
export const SWEEP_MARGIN_MS = 5 * SECOND_MS
