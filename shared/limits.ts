/** Every limit that the contract promises, named with its unit. What a deployment may change is in runtime/config.ts. */

export const KIB = 1024
export const MIB = 1024 * KIB
export const SECOND_MS = 1_000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

/** Default of INPUT_BYTES_MAX: the largest original, in bytes. */
export const INPUT_BYTES_MAX = 50 * MIB
/** Default of INPUT_PIXELS_MAX: pixels of the frame that would be decoded. */
export const INPUT_PIXELS_MAX = 50_000_000
/** AVIF decodes an order of magnitude slower than JPEG, so it has a limit of its own, in pixels. */
export const AVIF_PIXELS_MAX = 16_000_000
/** Default of OUTPUT_COST_MAX: sum over variants of pixels × weight. */
export const OUTPUT_COST_MAX = 100_000_000

export const VARIANTS_MAX = 16
export const SIDE_MIN = 1
/** Pixels of one side of a variant. */
export const SIDE_MAX = 8192

export const METADATA_PAIRS_MAX = 20
/** Bytes of all keys and values of a task's metadata together, as UTF-8. */
export const METADATA_BYTES_MAX = 2 * KIB

/** Longest `Prefer: wait` and `?wait`, in seconds. */
export const WAIT_SECONDS_MAX = 30
/** How long a negotiated WebP or AVIF may keep the JPEG's reader waiting. */
export const DERIVE_WAIT_MS = 2 * SECOND_MS
/** Silence after which an event stream sends a comment, so that proxies keep it open. */
export const HEARTBEAT_MS = 15 * SECOND_MS

/** Tasks of one page of GET /tasks. */
export const PAGE_DEFAULT = 20
export const PAGE_MAX = 100

/** Characters of an Idempotency-Key. */
export const IDEMPOTENCY_KEY_MAX = 255
export const IDEMPOTENCY_TTL_MS = DAY_MS
/** How long a key stays taken by a request that died; renewed each third of it while the request runs. */
export const IDEMPOTENCY_LOCK_MS = 10 * SECOND_MS

/** How long an upload's links are good; never longer than half of GC_GRACE, since the collector counts from its id. */
export const UPLOAD_LINK_MS = 15 * MINUTE_MS

/** Characters of a source or callback URL. */
export const URL_CHARS_MAX = 2_048
/** Bytes of a JSON body, and of all fields of a multipart body together. */
export const FIELDS_BYTES_MAX = 64 * KIB

/** Redirects that a source or callback URL may take. */
export const REDIRECTS_MAX = 3
/** How long a source URL may take to arrive as a whole. */
export const SOURCE_FETCH_MS = 20 * SECOND_MS
/** How long one attempt at a callback may take. */
export const CALLBACK_TRY_MS = 10 * SECOND_MS
/** How long a callback is tried before it is shown as given up. */
export const CALLBACK_GIVE_UP_MS = DAY_MS

/** Starts beyond maxAttempts that may end without an answer (crash, kill, restart) before the task is given up. */
export const INTERRUPTIONS_MAX = 10
/** How long a picture waits for a store that is away before it is given up, in ms from its task's creation. */
export const STORE_AWAY_GIVE_UP_MS = DAY_MS
/** Longest Retry-After that a queue obeys. */
export const RETRY_AFTER_MAX_MS = HOUR_MS
/** Added to the time at which something is to be heard of a task; then it is sent again. */
export const CHECK_MARGIN_MS = 15 * SECOND_MS
/**
 * How long a task that is worked on is left alone when nothing is heard of it; its worker says each third of that that
 * it goes on. With the sweep that finds it no more than a queue's lease and two sweeps.
 */
export const CHECK_LEASE_MS = 30 * SECOND_MS
/** Default of GC_GRACE: orphaned files younger than this are left alone. */
export const GC_GRACE_MS = DAY_MS
/** Folders that one run of the collector looks at. */
export const GC_FOLDERS_PER_RUN = 1_000
