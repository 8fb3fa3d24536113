/** The runtime's side of a queue: what a queue driver offers beside the `Queue` that functions see. */
import type { Queue } from './bindings.ts'
import type { Backoff } from './function.ts'
import type { Message } from './message.ts'
import type { Verdict } from './verdict.ts'

export interface Delivery {
  message: Message
  /** Counted failures so far + 1; at most maxAttempts + 1, the delivery that is for settling. */
  attempt: number
}

export interface ConsumeOptions {
  concurrency: number
  maxAttempts: number
  backoff: Backoff
  /** Told of each dead letter once it is written. */
  onDead?: (letter: DeadLetter) => void
}

export interface Consumer {
  /** Takes no further message; what runs goes on. */
  pause(): void
  /** Resolves when nothing runs. */
  idle(): Promise<void>
  /** Gives what still runs back to the queue, uncounted, and forgets it: a later verdict of it is ignored. */
  close(): Promise<void>
}

export interface QueueStats {
  /** Ready to be taken. */
  waiting: number
  /** Taken, lease alive. */
  active: number
  /** To be taken later. */
  delayed: number
  /** Copies on `<queue>-dead`. */
  dead: number
  /** Age in ms of the oldest message that is ready, 0 when there is none. */
  oldestMs: number
}

/** Where an operator finds the copies of messages that died. */
export function deadQueueOf(queue: string): string {
  return `${queue}-dead`
}

/** Copies that a driver with a store of its own keeps on one of them, the newest: the task's truth is its document. */
export const DEAD_LETTERS_KEPT = 10_000

export interface DeadLetter {
  message: Message
  reason: string
  attempts: number
  lastStatus: number | null
  /** RFC 3339. */
  diedAt: string
}

/** The type of a dead message that was none: its data is the text as it came. */
export const UNREADABLE = 'unreadable'

/** How many messages a queue has is not to be had here: the platform's own metrics have it. */
export class NotCounted extends Error {
  override readonly name = 'NotCounted'
}

export interface QueueDriver extends Queue {
  /**
   * Wakes on a message, it does not poll for those of its own process. A message whose worker died comes again when its
   * lease is over, uncounted. After maxAttempts failures it comes once more, at once; failing again, or a `dead`
   * verdict, copies it to `<queue>-dead` and only then takes it off.
   */
  consume(queue: string, options: ConsumeOptions, handle: (delivery: Delivery) => Promise<Verdict>): Consumer
  /** Rejects with NotCounted where only the platform knows. */
  stats(queue: string): Promise<QueueStats>
  deadLetters(queue: string, limit: number): Promise<DeadLetter[]>
  /** Where a platform delivers, and not `consume`: puts the letter on `<queue>-dead`. Durable when it resolves. */
  bury?(letter: DeadLetter): Promise<void>
  /** False: what dies on this queue is left to the platform to bury. Default: true, where there is `bury`. */
  hasGrave?(queue: string): boolean
  /** Where a platform delivers, and its own retries cannot wait: adds the delivery anew, to come after so many ms. */
  later?(delivery: Delivery, afterMs: number): Promise<void>
  /** Where a platform delivers: what it handed out under this receipt comes again after so many ms, not at its own time. */
  putOff?(queue: string, receipt: string, afterMs: number): Promise<void>
  close(): Promise<void>
}

export const BACKOFF_DEFAULT: Backoff = { initialMs: 1_000, factor: 2, maxMs: 60_000 }

/** Milliseconds before the next delivery after `failures` failures: exponential, between half and all of the step (jitter). */
export function retryDelayMs(backoff: Backoff, failures: number, random = Math.random()): number {
  const step = Math.min(backoff.maxMs, backoff.initialMs * backoff.factor ** (failures - 1))
  return Math.round(step / 2 + (step / 2) * random)
}
