/** Messages, verdicts and a handler for the suites of the queues. */
import type { ConsumeOptions, Delivery } from '#shared/consumer.ts'
import type { Message } from '#shared/message.ts'
import type { Verdict } from '#shared/verdict.ts'
import { sampleMessage, sampleTask } from './samples.ts'

export const ACK: Verdict = { kind: 'ack' }
export const DEAD: Verdict = { kind: 'dead', reason: 'status 422', status: 422 }

export function retry(overrides: { afterMs?: number; counted?: boolean } = {}): Verdict {
  return { kind: 'retry', reason: 'status 503', status: 503, afterMs: null, counted: true, fault: false, ...overrides }
}

const QUICK = { initialMs: 1, factor: 1, maxMs: 1 }
/** Longer than any test may take. */
export const NEVER = { initialMs: 3_600_000, factor: 1, maxMs: 3_600_000 }
export const OPTIONS: ConsumeOptions = { concurrency: 1, maxAttempts: 3, backoff: QUICK }

export const newMessage = (): Message => sampleMessage(sampleTask())
export const QUEUE = newMessage().queue

/** A handler that is driven by the test: it hands deliveries out, and each waits for its verdict. */
export function handler() {
  const deliveries: Delivery[] = []
  const waiting: { delivery: Delivery; end: (verdict: Verdict | Promise<Verdict>) => void }[] = []
  const takers: (() => void)[] = []
  return {
    deliveries,
    handle: (delivery: Delivery): Promise<Verdict> =>
      new Promise((end) => {
        deliveries.push(delivery)
        waiting.push({ delivery, end })
        takers.shift()?.()
      }),
    /** The next delivery that no one has seen, as soon as there is one. */
    next: async () => {
      if (waiting.length === 0) await new Promise<void>((resolve) => takers.push(resolve))
      return waiting.shift()!
    },
  }
}
