/** Writes what a verdict makes of a job. Each write is conditional on the job's lock. */
import type { ConsumeOptions, DeadLetter } from '#shared/consumer.ts'
import { decide } from '#shared/decision.ts'
import type { Verdict } from '#shared/verdict.ts'
import { addDeadLetter, type BullQueues } from './bullmq-jobs.ts'
import type { BullJob } from './bullmq-worker.ts'

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

async function bury(
  { queues, leaseMs, options }: VerdictContext,
  { job, token }: Taken,
  letter: DeadLetter,
): Promise<void> {
  const { UnrecoverableError } = await import('bullmq')
  // A delivery that lost its lock is judged by the next one: it writes no letter.
  if (!(await job.extendLock(token, leaseMs))) return
  // Before the job goes: one that is not acked comes again, one that is gone leaves no second chance for a letter.
  await addDeadLetter(queues, letter)
  options.onDead?.(letter)
  await job.moveToFailed(new UnrecoverableError(letter.reason), token)
}

export async function conclude(context: VerdictContext, taken: Taken, verdict: Verdict): Promise<void> {
  const { job, token } = taken
  const decision = decide(verdict, { message: job.data, attempt: failuresOf(taken) + 1 }, context.options)
  if (decision.kind === 'ack') return void (await job.moveToCompleted(null, token, false))
  if (decision.kind === 'dead') return await bury(context, taken, decision.letter)
  const { reason, afterMs, counted } = decision
  if (!counted) return await job.moveToDelayed(Date.now() + afterMs, token)
  // Who sent it did not know how often it may be tried: that is this consumer's configuration.
  job.opts.attempts = context.options.maxAttempts + 1
  await job.moveToFailed(new Retry(reason, afterMs), token)
}

/** Gives it back as if it had never been taken: to the front, uncounted. */
export async function release({ job, token }: Taken): Promise<void> {
  await job.moveToWait(token)
}
