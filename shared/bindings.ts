/**
 * The ports that a function is given in `c.env`. Drivers implement them; a function never knows which. Longer than 250
 * lines, since the contract is read as a whole; half of it is what each call promises.
 */
import type { Backoff } from './function.ts'
import type { DerivedFormat, Message } from './message.ts'
import type { Callback, Source, Status, Task, TaskError } from './task.ts'
import type { BlobKey, StoredFile, Variant } from './variant.ts'

export interface TaskQuery {
  status?: Status
  /** Of `error.code`. */
  code?: string
  /** Every pair must be there. */
  metadata?: Record<string, string>
  /** 1 to PAGE_MAX. */
  limit: number
  /** Only tasks whose id sorts before this one (ids are times: newest first). */
  before?: string
}

/** What a claimed task may change before it ends. Progress is not durable; the rest is as durable as a lease. */
export interface Advance {
  progress?: number
  source?: Source
  /** Null clears it. */
  lastError?: TaskError | null
  uncounted?: number
  /** Unix ms. */
  nextCheckAt?: number
}

export type Settlement =
  | {
      status: 'completed'
      variants: Variant[]
      source: Source
      placeholder: string | null
      color: string | null
      warnings: string[]
    }
  | { status: 'failed'; error: TaskError }

/** An idempotency key in force: this request's own, or another's. */
export interface KeyReservation {
  taskId: string
  /** True when this call reserved it or took it over: the caller runs the request, under taskId. */
  owned: boolean
  /** The key's task was deleted. */
  deleted: boolean
  /** Unix ms until which another request holds it. */
  lockedUntil: number
}

export interface KeyRequest {
  key: string
  apiKeyId: string
  /** Used when the key is new; a key that is taken over keeps the id it had. */
  taskId: string
  now: number
  lockedUntil: number
  expiresAt: number
}

/**
 * Every method that is not told otherwise is durable when it resolves, and rejects with Problem `unavailable` when the
 * store cannot be reached. Times are Unix ms.
 */
export interface TaskStore {
  /**
   * Writes the task and hands its message to the queue. `exists`: the id is taken, nothing was changed. A Problem that is
   * `unanswered` says that the task may be there, now or later.
   */
  create(task: Task, message: Message): Promise<'created' | 'exists'>
  get(id: string): Promise<Task | null>
  /** Newest first. */
  list(query: TaskQuery): Promise<Task[]>
  /**
   * Counts a delivery, sets `processing`, `attempts` and `nextCheckAt`, and returns the task with its fence (its
   * deliveries). Never refuses a task that is there; a terminal one comes back unchanged, with fence 0. Not fsynced.
   */
  claim(id: string, claim: { attempt: number; nextCheckAt: number }): Promise<{ task: Task; fence: number } | null>
  /** False when a newer delivery has the task, or it is terminal or gone. Not fsynced. */
  advance(id: string, fence: number, change: Advance): Promise<boolean>
  /**
   * Ends a task; compare-and-set on fence and status. `expiresAt` becomes the time of settling plus `ttlMs`. What
   * is left to do (a callback, a discard) is looked at at `nextCheckAt`; without one a message is at the next sweep, and
   * else nothing is left. False as in advance.
   */
  settle(id: string, fence: number, result: Settlement, then?: SettleOptions): Promise<boolean>
  /** Records another encoding of a variant; status and updatedAt stay. True when it is recorded, now or before. */
  recordDerived(id: string, variant: string, format: DerivedFormat, file: StoredFile): Promise<boolean>
  /** Replaces the callback of a terminal task while it is pending. `nextCheckAt` null when nothing is left to do. */
  recordCallback(id: string, callback: Callback, nextCheckAt: number | null): Promise<boolean>
  /**
   * Notes that the original's file is gone (`original=discard`): source.key becomes null, and so does `nextCheckAt` of a
   * terminal task, unless its callback is pending. Again where it was noted, it clears that alone.
   */
  discardOriginal(id: string): Promise<boolean>
  /** Removes the document, marks its idempotency keys as deleted, and returns what was there. */
  delete(id: string): Promise<Task | null>
  /** Tasks whose nextCheckAt is at or before `now`, the longest due first. */
  due(now: number, limit: number): Promise<Task[]>
  /** Moves nextCheckAt by compare-and-set, and sets a reason with it; false when someone else did. Not fsynced. */
  postpone(id: string, from: number, to: number, lastError?: TaskError): Promise<boolean>
  /** Ids of terminal tasks whose expiresAt is before `now`. */
  expired(now: number, limit: number): Promise<string[]>
  /** True for the one caller, over all processes, that inserts this instant of a timer. */
  claimTick(name: string, slot: number): Promise<boolean>
  reserveKey(request: KeyRequest): Promise<KeyReservation>
  /** Holds a key for longer, as long as its task does not exist. Not fsynced. */
  renewKey(key: string, apiKeyId: string, lockedUntil: number): Promise<void>
  /**
   * Frees a key whose request made no task, as long as it has this task's id and this lock: true for the one who freed
   * it. Whoever took it over meanwhile keeps it.
   */
  releaseKey(key: string, apiKeyId: string, held: Pick<KeyReservation, 'taskId' | 'lockedUntil'>): Promise<boolean>
  /** Forgets keys and ticks that are over. */
  prune(now: number): Promise<void>
  /** A small value that outlives restarts: the collector's place. Not fsynced. */
  readCursor(name: string): Promise<string | null>
  writeCursor(name: string, value: string): Promise<void>
  /**
   * The task as it is now, then each later state (some may be left out when they come fast), and null once it is
   * deleted, which ends it. Subscribes before it reads, so no change is missed. Ends when the signal aborts.
   */
  changes(id: string, signal: AbortSignal): AsyncIterable<Task | null>
}

export interface SettleOptions {
  message?: Message
  nextCheckAt?: number
  ttlMs?: number | null
}

/** Every method rejects with Problem `unavailable`, or its driver's own error, when the queue cannot be reached. */
export interface Queue {
  /** Adds a message, unless one of its id still waits or runs. Durable when it resolves. */
  send(message: Message): Promise<void>
  /** Takes a waiting message out; a running one is left to end. */
  remove(queue: string, id: string): Promise<void>
}

/** Values are JSON. Every method may fail soft: a cache that is away is a miss, never an error. */
export interface Cache {
  get(key: string): Promise<unknown>
  /** Only where the key is absent: a reader that was slow must not overwrite a tombstone. */
  add(key: string, value: unknown, ttlMs: number): Promise<void>
  set(key: string, value: unknown, ttlMs: number): Promise<void>
}

export type ByteSource = AsyncIterable<Uint8Array> | Uint8Array

/** Bytes `start` to `end`, both included, as in RFC 9110 §14. */
export interface ByteRange {
  start: number
  end: number
}

export interface Blob {
  /** Of the whole file. */
  bytes: number
  /** Unix ms. */
  modifiedAt: number
  /** Reads from one open file, 64 KiB at a time, as fast as it is taken; cancelling it closes the file. */
  body: ReadableStream<Uint8Array>
}

export interface Presigned {
  url: string
  headers: Record<string, string>
}

/**
 * Files by key. A key's bytes never change: the first complete write of it wins, and no reader ever sees part of one.
 * Every method rejects with Problem `unavailable` when the store cannot be reached.
 */
export interface BlobStore {
  /**
   * Writes durably, then appears under its key at once. Where the key exists, describes what is there: `created` false.
   * Rejects with the source's error, or the signal's reason; then nothing is left.
   */
  put(key: BlobKey, source: ByteSource, signal?: AbortSignal): Promise<StoredFile & { created: boolean }>
  get(key: BlobKey, range?: ByteRange): Promise<Blob | null>
  /** A path that a native library can open, until it is disposed of. Null when the key is not there. */
  asFile(key: BlobKey): Promise<({ path: string } & AsyncDisposable) | null>
  /** Hard link or server-side copy: each can be deleted alone. False when `from` is not there. */
  copy(from: BlobKey, to: BlobKey): Promise<boolean>
  delete(key: BlobKey): Promise<void>
  /**
   * A URL to which `bytes` bytes may be PUT without us until `expiresAt` (Unix ms), once: not where the key exists. What
   * must be sent with them stands in `headers`. Null where there is no way but through `put`.
   */
  presign(key: BlobKey, limit: { bytes: number; expiresAt: number }): Promise<Presigned | null>
  /** All files of a task, originals and variants. */
  deleteTask(taskId: string): Promise<void>
  /**
   * Removes what a put that died left of this task: unfinished writes that nothing was added to since `before`, Unix ms;
   * and, where the id is older than that, what was uploaded for it and not taken.
   */
  tidy(taskId: string, before: number): Promise<void>
  /** Ids of tasks that have files, in id order, those after `after`. */
  listTasks(after: string, limit: number): Promise<string[]>
  /**
   * Ids of the task stores that the files belong to: none as long as none is noted, more than one where they lie in
   * places of different owners. `note` is noted first, durably, wherever there is none; of several at once one stays.
   */
  owners(note?: string): Promise<string[]>
}

export interface GuardedFetch {
  /** Why the URL as it is spelled may not be fetched (scheme, credentials, a literal address); null when it may. */
  refusal(url: string): string | null
  /**
   * Fetches over addresses that pass the guard, each redirect and each resolved address checked anew. Rejects with
   * Problem `url-not-allowed`, `source-unreachable` or `source-timeout`. The caller reads or cancels the body.
   */
  request(
    url: string,
    init: { method: 'GET' | 'POST'; headers?: Record<string, string>; body?: string; signal: AbortSignal },
  ): Promise<Response>
}

export interface TaskLinks {
  self: string
  events: string
  original: string | null
  /** By name, of all that were asked for: with `?wait` a link works before its variant is there. */
  variants: Record<string, string>
}

export interface Links {
  /**
   * Absolute where PUBLIC_URL is set; signed where keys are set and the task's access is not public. None lasts beyond
   * `until` (Unix ms).
   */
  of(task: Pick<Task, 'id' | 'options' | 'source'>, until?: number): Promise<TaskLinks>
  /** One path as a link that is good until `expiresAt` (Unix ms); absolute and signed as those of a task. */
  sign(path: string, expiresAt: number): Promise<string>
}

/** What the environment decides and functions need, read-only. */
export interface Settings {
  publicUrl: string | undefined
  inputBytesMax: number
  inputPixelsMax: number
  outputCostMax: number
  /** VARIANTS: name → the box it stands for, in the grammar of the `variants` option. */
  presets: Record<string, string>
  taskTtlMs: number | null
  gcGraceMs: number
  negotiate: boolean
  /** True where API keys are set. */
  keyed: boolean
  /** Of the function's queue, as its consumer was told; 1 and the default for a function that has none. */
  maxAttempts: number
  backoff: Backoff
  /** True where WEBHOOK_SECRET is set. */
  callbacks: boolean
  /** Empty unless the function's config names `webhook` among its secrets. */
  webhookSecrets: readonly string[]
}

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

/** Who is asking. `link`: the signature fits this path, until `expiresAt` (Unix ms). */
export type Caller =
  | { kind: 'open' }
  | { kind: 'key'; keyId: string }
  | { kind: 'link'; expiresAt: number }
  | { kind: 'anonymous' }

/** Histograms and counters a function may feed; names and labels are fixed, so their number is bounded. */
export interface Measures {
  /** Seconds of one picture's rendering, all variants. */
  render_seconds: { outcome: 'completed' | 'failed' }
  /** One for each task that ended. */
  tasks_total: { outcome: 'completed' | 'failed'; code: string }
  derived_total: { format: DerivedFormat }
  swept_total: { action: 'resent' | 'expired' | 'collected' }
  callbacks_total: { outcome: 'delivered' | 'retried' | 'failed' }
}

export interface Invocation {
  id: string
  function: string
  /** 1, or for a queue message failures seen so far + 1. */
  attempt: number
  /** Unix ms; moves on while a request body arrives. */
  deadline: number
  /** Aborts at the deadline, when the client goes away, or when the runtime gives up on the invocation. */
  signal: AbortSignal
  traceparent: string
  caller: Caller
  log: Logger
  /** Puts the task's id on the invocation's log line. */
  taskId(id: string): void
  measure<Name extends keyof Measures>(name: Name, value: number, labels: Measures[Name]): void
}

export interface Bindings {
  tasks: TaskStore
  blobs: BlobStore
  queue: Queue
  cache: Cache
  fetch: GuardedFetch
  links: Links
  settings: Settings
  invocation: Invocation
}

/** What Hono is told of `c.env`. */
export interface Env {
  Bindings: Bindings
}
