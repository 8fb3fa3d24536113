/** What becomes of a message after a verdict. Drivers and targets write down what is said here, and decide nothing. */
import { type ConsumeOptions, type DeadLetter, type Delivery, retryDelayMs } from './consumer.ts'
import { SECOND_MS } from './limits.ts'
import type { Verdict } from './verdict.ts'

/** Before a message that did not count is delivered again, where nobody named a time. */
const UNCOUNTED_RETRY_MS = SECOND_MS

export type Decision =
  | { kind: 'ack' }
  /** Deliver it again, after so many ms where the platform can wait. `counted`: as the next attempt, else as the same. */
  | { kind: 'retry'; reason: string; afterMs: number; counted: boolean; status?: number | null }
  /** Acknowledge it once its letter is on `<queue>-dead`; `buried`: it is. */
  | { kind: 'dead'; letter: DeadLetter; buried?: boolean }

/** The delivery after maxAttempts failures comes at once, for settling, and is the last. What did not count never is. */
export function decide(
  verdict: Verdict,
  { message, attempt }: Delivery,
  { maxAttempts, backoff }: Pick<ConsumeOptions, 'maxAttempts' | 'backoff'>,
): Decision {
  const dead = (reason: string, lastStatus: number | null): Decision => ({
    kind: 'dead',
    letter: { message, reason, attempts: attempt, lastStatus, diedAt: new Date().toISOString() },
  })
  if (verdict.kind === 'ack') return { kind: 'ack' }
  if (verdict.kind === 'dead') return dead(verdict.reason, verdict.status)
  const { reason, status, afterMs, counted } = verdict
  const again = (ms: number): Decision => ({ kind: 'retry', reason, status, afterMs: ms, counted })
  if (!counted) return again(afterMs ?? UNCOUNTED_RETRY_MS)
  if (attempt > maxAttempts) return dead(reason, status)
  if (attempt === maxAttempts) return again(0)
  return again(afterMs ?? retryDelayMs(backoff, attempt))
}
