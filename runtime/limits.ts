/** The runtime's own limits, named with their units. Those of the API's contract are in shared/limits.ts. */
import { DAY_MS, MIB, MINUTE_MS, SECOND_MS } from '#shared/limits.ts'

/** Invocations of one http function that may run at once, unless its config says otherwise. */
export const HTTP_CONCURRENCY = 1_000
/** Waiting `changes` iterations at once; below HTTP_CONCURRENCY, so that waiters leave slots for others. */
export const WAITERS_MAX = 500
/** Open event streams at once. */
export const STREAMS_MAX = 1_000
/** An open response body whose reader takes no byte for this long is closed. */
export const BODY_IDLE_MS = 30 * SECOND_MS
/** A request body may take this long in all; each part of it must come within the function's timeout. */
export const UPLOAD_TOTAL_MS = 10 * MINUTE_MS
/** How long a client may take to send a request's headers. */
export const HEADERS_MS = 15 * SECOND_MS
export const KEEP_ALIVE_MS = 5 * SECOND_MS
/** Bytes of a request's headers together. */
export const HEADER_BYTES_MAX = 16 * 1024

/** After this many invocations a container is replaced: what native code leaks, ends. */
export const CONTAINER_INVOCATIONS_MAX = 1_000
/** From spawn to ready. */
export const CONTAINER_START_MS = 15 * SECOND_MS
/** From the abort at a deadline to SIGKILL. */
export const CONTAINER_STOP_MS = 100
/** A container that did nothing for this long is let go; the last one of its function stays longer. */
export const CONTAINER_IDLE_MS = MINUTE_MS
export const CONTAINER_LAST_IDLE_MS = 10 * MINUTE_MS
/** What a container and the runtime take at their peak, for the effective concurrency under a memory limit. */
export const CONTAINER_MEMORY_BYTES = 100 * MIB
export const RUNTIME_MEMORY_BYTES = 160 * MIB
/** Invocations at once in one container of `npm run dev`, where http functions too run in containers. */
export const DEV_CONTAINER_INVOCATIONS = 100

/** Added to the longest queue timeout to get the default of DRAIN_MS. */
export const DRAIN_MARGIN_MS = 5 * SECOND_MS
/** Default of LINK_TTL. */
export const LINK_TTL_MS = 7 * DAY_MS
/** Links of the same window are equal: their end is rounded up to this. */
export const LINK_WINDOW_MS = DAY_MS
/** Tasks that the embedded cache holds. */
export const CACHE_ENTRIES_MAX = 2_000
/** Seconds a client is asked to wait when there is no slot. */
export const BUSY_RETRY_SECONDS = 1
