/** CloudEvents 1.0 context attributes of messages, by name, for queues that carry them beside the data (binary mode). */
import { type DeadLetter, deadQueueOf } from '#shared/consumer.ts'
import type { Message } from '#shared/message.ts'

export type Attributes = Record<string, string>

/** `queue` is an extension attribute: where all queues share one broker, it is what a subscription filters by. */
export function attributesOf({ queue, id, type, subject, time, traceparent }: Message): Attributes {
  const trace = traceparent ? { traceparent } : {}
  return { specversion: '1.0', id, type, source: '/revela', subject, time, queue, ...trace }
}

/** The copy on `<queue>-dead`: the same event, with why it died as extension attributes. */
export function attributesOfLetter({ message, reason, attempts, lastStatus, diedAt }: DeadLetter): Attributes {
  const status = lastStatus === null ? {} : { deadstatus: String(lastStatus) }
  const why = { deadreason: reason, deadattempts: String(attempts), ...status, deadtime: diedAt }
  return { ...attributesOf({ ...message, queue: deadQueueOf(message.queue) }), ...why }
}

export function prefixed(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]))
}
