import { CHECK_LEASE_MS, SECOND_MS } from '#shared/limits.ts'

/** Tasks that one question to the store brings. */
export const BATCH_TASKS = 100
/** When a task that was sent again is looked at next, unless its delivery says otherwise before. */
export const RESEND_AGAIN_MS = CHECK_LEASE_MS
/** When a task is looked at next whose queue did not take its message: by the next run. */
export const QUEUE_AWAY_MS = 10 * SECOND_MS
/** Of a run's time, kept for writing down how far it came: past the deadline nothing can be written. */
export const SWEEP_MARGIN_MS = 5 * SECOND_MS
