/** The convention: a function is a folder with config.ts (this, as its default export) and index.ts (a Hono app). */
import type { Call } from './calls.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
/** A method and an RFC 6570 level 1 path: `GET /tasks/{taskId}`. HEAD comes with GET. */
export type Route = `${Method} /${string}`

export interface HttpTrigger {
  type: 'http'
  routes: readonly Route[]
  /**
   * Who may call when keys are set. `key`: a request with an API key. `link`: one with a key or a signed link; a
   * request with neither arrives as `anonymous`, and the function answers it only what is public. Default `key`.
   */
  auth?: 'key' | 'link'
  /** Invocations that may run at once; one more gets 503 with Retry-After. Default HTTP_CONCURRENCY. */
  concurrency?: number
}

/** Exponential with equal jitter: attempt n waits between half of `min(maxMs, initialMs × factor ** (n - 1))` and all of it. */
export interface Backoff {
  initialMs: number
  factor: number
  maxMs: number
}

export interface QueueTrigger {
  type: 'queue'
  queue: string
  /** Messages that are worked on at once, in one process. */
  concurrency: number
  /** Failures after which a message is dead. The queue delivers once more than this, so that the function can settle. */
  maxAttempts: number
  backoff?: Backoff
}

export type TimerTrigger = { type: 'timer'; everyMs: number } | { type: 'timer'; cron: string }

export type Trigger = HttpTrigger | QueueTrigger | TimerTrigger

/** `process`: in a container, a child process that may spin, leak or die alone. `inline`: in the runtime's own process. */
export type Isolation = 'inline' | 'process'

export interface FunctionConfig {
  trigger: Trigger
  /** From the request's last received byte to the function's Response. */
  timeoutMs: number
  /** Default `inline`. */
  isolation?: Isolation
  /** Secrets that the function needs in `c.env.settings`; it is given no other. */
  secrets?: readonly 'webhook'[]
  /**
   * With `isolation: 'process'`, what its container may ask of the runtime: no other call is answered, and none about
   * another task than the message, or the route's `{taskId}`, names. Default none. Inline functions have them all.
   */
  calls?: readonly Call[]
}
