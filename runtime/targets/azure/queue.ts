/** A message of a storage queue: what is returned acknowledges it, what is thrown has it delivered again. */
import type { InvocationContext } from '@azure/functions'
import { messageOfEvent } from '#shared/cloud-event.ts'
import type { CloudFunction } from '../cloud/open.ts'

/** The trigger has no time limit of its own that a function could ask for. */
const REMAINING_MS = Infinity

function positive(value: unknown): number {
  const number = Number(value)
  return Number.isSafeInteger(number) && number > 0 ? number : 1
}

/** How often it was handed out: what it says of itself when it was added anew, and the queue's own count since. */
function receivedOf(entry: unknown, dequeueCount: unknown): number {
  const before = typeof entry === 'object' && entry !== null && 'attempt' in entry ? positive(entry.attempt) : 1
  return before - 1 + positive(dequeueCount)
}

/**
 * A message that is to come again is added anew, invisible until its time, and this one acknowledged: the trigger knows
 * but one delay for all. Only where that fails it is thrown, and comes after the trigger's own delay; the poison queue
 * takes what failed maxDequeueCount times so.
 */
export async function takeQueueEntry(
  cloud: CloudFunction,
  queue: string,
  entry: unknown,
  { triggerMetadata = {} }: InvocationContext,
): Promise<void> {
  const { dequeueCount, id = '' } = triggerMetadata as { dequeueCount?: unknown; id?: string }
  const message = messageOfEvent(entry, queue)
  const received = receivedOf(entry, dequeueCount)
  const decision = message
    ? await cloud.deliver(message, { received, remainingMs: REMAINING_MS })
    : await cloud.refuse(queue, id, typeof entry === 'string' ? entry : JSON.stringify(entry))
  if (decision.kind === 'ack') return
  if (decision.kind === 'dead') {
    if (decision.buried) return
    throw new Error(`dead, and not buried: ${decision.letter.reason}`)
  }
  const { reason, afterMs, counted } = decision
  if (!message || !cloud.queue.later) throw new Error(`again: ${reason}`)
  await cloud.queue.later({ message, attempt: counted ? received + 1 : received }, afterMs)
}
