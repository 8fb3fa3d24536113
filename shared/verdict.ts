/** What the status of a queue function's Response says of its message. Every target translates this one table. */
import { RETRY_AFTER_MAX_MS } from './limits.ts'

export type Verdict =
  | { kind: 'ack' }
  /** `counted: false`: the function never ran, or without its stores, so the try costs no attempt. */
  | { kind: 'retry'; reason: string; status: number | null; afterMs: number | null; counted: boolean; fault: boolean }
  | { kind: 'dead'; reason: string; status: number }

/** Set by createApp's notFound: tells a function's own 404 from that of a router that matched nothing. */
export const UNMATCHED_HEADER = 'x-revela-unmatched'
/** On a 503 that says nothing of the message: our own (no slot, no start, draining), or that of a store that is away. */
export const NOT_RUN_HEADER = 'x-revela-not-run'

const RETRIED_4XX: ReadonlySet<number> = new Set([408, 425, 429])

/** `Retry-After` (RFC 9110 §10.2.3: seconds or a date) in milliseconds, at most RETRY_AFTER_MAX_MS; null when there is none. */
export function retryAfterMs(value: string | null, now = Date.now()): number | null {
  if (value === null || value.trim() === '') return null
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - now
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS)
}

/**
 * 2xx ack; 408, 425, 429 and 5xx retry; any other 4xx dead at once. A status that no queue function should give (1xx,
 * 3xx, nothing at all, a router's 404) is a fault of the code: retried, and reported as such.
 */
export function verdictOf(response: Response | null): Verdict {
  if (response === null) {
    return { kind: 'retry', reason: 'no response', status: null, afterMs: null, counted: true, fault: true }
  }
  const { status, headers } = response
  const reason = `status ${status}`
  if (status >= 200 && status < 300) return { kind: 'ack' }
  const unmatched = status === 404 && headers.has(UNMATCHED_HEADER)
  const fault = status < 400 || unmatched
  if (fault || status >= 500 || RETRIED_4XX.has(status)) {
    const afterMs = retryAfterMs(headers.get('retry-after'))
    return { kind: 'retry', reason, status, afterMs, counted: !headers.has(NOT_RUN_HEADER), fault }
  }
  return { kind: 'dead', reason, status }
}

/** Of a handler that gave no Response, nor anything else. */
export function verdictOfThrow(error: unknown): Verdict {
  const reason = `the handler threw: ${error instanceof Error ? error.message : String(error)}`
  return { kind: 'retry', reason, status: null, afterMs: null, counted: true, fault: true }
}
