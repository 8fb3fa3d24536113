/** The runtime's own limits, named with their units. Those of the API's contract are in shared/limits.ts. */
import { DAY_MS, MIB, MINUTE_MS, SECOND_MS } from '#shared/limits.ts'

/** Invocations of one http function that may run at once, unless its config says otherwise. */
export const HTTP_CONCURRENCY = 1_000
/** Waiting `changes` iterations at once; below HTTP_CONCURRENCY, so that waiters leave slots for others. */
export const WAITERS_MAX = 500
/** Open event streams at once. */
export const STREAMS_MAX = 1_000
/** A request body may take this long in all; each part of it must come within the function's timeout. */
export const UPLOAD_TOTAL_MS = 10 * MINUTE_MS
/** What began with a body that stopped arriving may be undone for so long. */
export const UNDO_MS = SECOND_MS
/** Added to the longest timeout of a function to get the default of DRAIN_MS. */
export const DRAIN_MARGIN_MS = 5 * SECOND_MS
/** The end of DRAIN_MS that is for answering those who still wait for a task. */
export const LAST_ANSWERS_MS = SECOND_MS
/** Default of LINK_TTL. */
export const LINK_TTL_MS = 7 * DAY_MS
/** Default of LOG_SPOOL_BYTES_MAX, for each process. */
export const LOG_SPOOL_BYTES_MAX = 256 * MIB
/** Tasks that the embedded cache holds. */
export const CACHE_ENTRIES_MAX = 2_000
/** Seconds a client is asked to wait when there is no slot. */
export const BUSY_RETRY_SECONDS = 1
/** The longest setTimeout: it takes 31 bits of milliseconds, and fires at once beyond. */
export const TIMEOUT_MAX_MS = 2 ** 31 - 1
