/** Telemetry's own limits, named with their units. */
import { KIB, MIB, SECOND_MS } from '#shared/limits.ts'

/** A spool file is full at this size; what the bound lets go is a whole one. */
export const SPOOL_FILE_BYTES = 8 * MIB
/** Folders for the processes of one service on one machine. */
export const SPOOL_FOLDERS_MAX = 1_000
/** One push to Loki. Its own limits: 4 MB a second, 256 KB a line. */
export const PUSH_BYTES_MAX = 512 * KIB
export const PUSH_TIMEOUT_MS = 10 * SECOND_MS
/** How long a line may lie before it is pushed, when all goes well. */
export const PUSH_EVERY_MS = SECOND_MS
/** After a failed push, doubled up to the longest; a Retry-After that asks for more is obeyed up to its own. */
export const PUSH_BACKOFF_MS = SECOND_MS
export const PUSH_BACKOFF_MAX_MS = 30 * SECOND_MS
export const PUSH_RETRY_AFTER_MAX_MS = 300 * SECOND_MS
/** Between two log lines about lines that Loki refuses. */
export const REFUSAL_TOLD_EVERY_MS = 60 * SECOND_MS
/** How often a process looks for what dead ones left. */
export const ADOPT_EVERY_MS = 30 * SECOND_MS
/** At the end of the drain: what cannot be handed over in this time stays on disk (lines) or is lost (spans). */
export const FLUSH_MS = 2 * SECOND_MS
/** Different values of the label `function`; lines of further ones carry none. */
export const FUNCTION_LABELS_MAX = 100
/** Spans that wait for their export; one more is dropped, and counted. */
export const SPANS_MAX = 2_048
export const SPANS_PER_EXPORT = 512
export const EXPORT_EVERY_MS = 5 * SECOND_MS
