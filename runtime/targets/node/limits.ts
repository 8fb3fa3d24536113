/** Limits of the local target: its server's sockets and its containers, named with their units. */
import { KIB, MIB, MINUTE_MS, SECOND_MS, VARIANTS_MAX } from '#shared/limits.ts'
import { UPLOAD_TOTAL_MS } from '../../limits.ts'

/** An open response body whose reader takes no byte for this long is closed. */
export const BODY_IDLE_MS = 30 * SECOND_MS
/** How long a client may take to send a request's headers. */
export const HEADERS_MS = 15 * SECOND_MS
/** And the whole request: longer than the invocation waits for its next bytes, whose own 408 comes first. */
export const REQUEST_MS = UPLOAD_TOTAL_MS + 2 * MINUTE_MS
export const KEEP_ALIVE_MS = 5 * SECOND_MS
/** At a drain, how long a connection on which nothing was ever said has to begin. */
export const SILENCE_MS = 250
/** Bytes of a request's headers together. */
export const HEADER_BYTES_MAX = 16 * 1024

/** After this many invocations a container is replaced: what native code leaks, ends. */
export const CONTAINER_INVOCATIONS_MAX = 1_000
/** From spawn to ready. */
export const CONTAINER_START_MS = 15 * SECOND_MS
/** JSON of one message from a container, in bytes; read, it takes some twenty times as much. */
export const CONTAINER_MESSAGE_BYTES_MAX = MIB
/** Notes of a container (log lines, measures, a task's id) about one invocation, and their JSON in bytes: of one, of all. */
export const NOTES_MAX = 2_000
export const NOTE_BYTES_MAX = 64 * KIB
export const NOTES_BYTES_MAX = 2 * MIB
/** Characters of a task id in a note. */
export const NOTE_TASK_CHARS_MAX = 256
/** Writes to the cache in one invocation: of each variant of a task two more encodings can be given up. */
export const CACHE_WRITES_MAX = 2 * VARIANTS_MAX
/** From the abort at a deadline to SIGKILL. */
export const CONTAINER_STOP_MS = 100
/** From the end of a Response to the container's word that it is done: one that is silent for longer spins. */
export const CONTAINER_DONE_MS = SECOND_MS
/** A container that did nothing for this long is let go; the last one of its function stays longer. */
export const CONTAINER_IDLE_MS = MINUTE_MS
export const CONTAINER_LAST_IDLE_MS = 10 * MINUTE_MS
/** What a container and the runtime take at their peak, for the effective concurrency under a memory limit. */
export const CONTAINER_MEMORY_BYTES = 100 * MIB
export const RUNTIME_MEMORY_BYTES = 160 * MIB
/** Invocations at once in one container of `npm run dev`, where http functions too run in containers. */
export const DEV_CONTAINER_INVOCATIONS = 100
