/** A verdict as a platform can act on it. */
import { type DeadLetter, type Delivery, retryDelayMs } from '#shared/consumer.ts'
import type { Backoff } from '#shared/function.ts'
import type { Verdict } from '#shared/verdict.ts'
import { UNCOUNTED_RETRY_MS } from './limits.ts'

export type Decision =
  | { kind: 'ack' }
  /** Deliver it again, after so many ms where the platform can wait. */
  | { kind: 'retry'; reason: string; afterMs: number; status?: number | null }
  /** Acknowledge it once its letter is on `<queue>-dead`; `buried`: it is. */
  | { kind: 'dead'; letter: DeadLetter; buried?: boolean }

/** As every queue does it: the delivery after maxAttempts failures comes at once, for settling, and is the last. */
export function decide(
  verdict: Verdict,
  { message, attempt }: Delivery,
  { maxAttempts, backoff }: { maxAttempts: number; backoff: Backoff },
): Decision {
  const dead = (reason: string, lastStatus: number | null): Decision => ({
    kind: 'dead',
    letter: { message, reason, attempts: attempt, lastStatus, diedAt: new Date().toISOString() },
  })
  if (verdict.kind === 'ack') return { kind: 'ack' }
  if (verdict.kind === 'dead') return dead(verdict.reason, verdict.status)
  const { reason, status, afterMs, counted } = verdict
  if (!counted) return { kind: 'retry', reason, status, afterMs: afterMs ?? UNCOUNTED_RETRY_MS }
  if (attempt > maxAttempts) return dead(reason, status)
  if (attempt === maxAttempts) return { kind: 'retry', reason, status, afterMs: 0 }
  return { kind: 'retry', reason, status, afterMs: afterMs ?? retryDelayMs(backoff, attempt) }
}
