/** Writes what a verdict makes of a job. Each write is conditional on the job's lock. */
import { type ConsumeOptions, retryDelayMs } from '#shared/consumer.ts'
import { SECOND_MS } from '#shared/limits.ts'
import type { Verdict } from '#shared/verdict.ts'
import { addDeadLetter, type BullQueues } from './bullmq-jobs.ts'
import type { BullJob } from './bullmq-worker.ts'

/** Wait after a verdict that did not count and named no time. */
const UNCOUNTED_RETRY_MS = SECOND_MS
/** From BullMQ: the job is gone, its lock is gone or another's, it is not being worked on. */
const LOST: ReadonlySet<unknown> = new Set([-1, -2, -3, -6])

/** A message that was taken. */
export interface Taken {
  job: BullJob
  /** Of the lock of this one delivery. */
  token: string
}

export interface VerdictContext {
  /** For dead letters. */
  queues: BullQueues
  leaseMs: number
  options: ConsumeOptions
}

/** A failure after which the job comes again, after `delayMs`: what the worker's backoff strategy is asked for. */
export class Retry extends Error {
  override readonly name = 'Retry'
  readonly delayMs: number
  constructor(reason: string, delayMs: number) {
    super(reason)
    this.delayMs = delayMs
  }
}

/** True when what failed says that another has the job by now, or that it is gone. */
export function isLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && LOST.has(error.code)
}

/** BullMQ counts what fails and what is completed, and neither what stalls nor what is moved back. */
export function failuresOf({ job }: Taken): number {
  return job.attemptsMade
}

async function bury({ queues, leaseMs }: VerdictContext, { job, token }: Taken, reason: string, status: number | null) {
  const { UnrecoverableError } = await import('bullmq')
  // A delivery that lost its lock is judged by the next one: it writes no letter.
  if (!(await job.extendLock(token, leaseMs))) return
  const attempts = job.attemptsMade + 1
  const letter = { message: job.data, reason, attempts, lastStatus: status, diedAt: new Date().toISOString() }
  // Before the job goes: one that is not acked comes again, one that is gone leaves no second chance for a letter.
  await addDeadLetter(queues, letter)
  await job.moveToFailed(new UnrecoverableError(reason), token)
}

/** The delivery that follows maxAttempts failures comes at once: it is for settling, not for trying. */
export async function conclude(context: VerdictContext, taken: Taken, verdict: Verdict): Promise<void> {
  const { job, token } = taken
  const { maxAttempts, backoff } = context.options
  if (verdict.kind === 'ack') return void (await job.moveToCompleted(null, token, false))
  if (verdict.kind === 'dead') return await bury(context, taken, verdict.reason, verdict.status)
  const { reason, status, afterMs, counted } = verdict
  if (!counted) return await job.moveToDelayed(Date.now() + (afterMs ?? UNCOUNTED_RETRY_MS), token)
  const failures = failuresOf(taken) + 1
  if (failures > maxAttempts) return await bury(context, taken, reason, status)
  const delayMs = failures === maxAttempts ? 0 : (afterMs ?? retryDelayMs(backoff, failures))
  // Who sent it did not know how often it may be tried: that is this consumer's configuration.
  job.opts.attempts = maxAttempts + 1
  await job.moveToFailed(new Retry(reason, delayMs), token)
}

/** Gives it back as if it had never been taken: to the front, uncounted. */
export async function release({ job, token }: Taken): Promise<void> {
  await job.moveToWait(token)
}
