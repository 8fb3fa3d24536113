/** Messages as CloudEvents over HTTP, in binary mode, to a sink of Knative Eventing: a broker, a channel, or a service. */
import { attributeHeaders } from '#shared/attribute.ts'
import { unavailable } from '#shared/errors.ts'
import { deadQueueOf, type QueueDriver } from '#shared/consumer.ts'
import { deliveredQueue } from './delivered.ts'
import { type Attributes, attributesOf, attributesOfLetter } from './event-attributes.ts'
import { post } from './post.ts'

export interface CloudEventsOptions {
  /** K_SINK: where every queue goes that has no sink of its own. */
  sink?: string | undefined
  /** By queue; `<queue>-dead` is one of them. */
  sinks?: Readonly<Record<string, string>>
  /** Added to each event, as a SinkBinding asks in K_CE_OVERRIDES. */
  extensions?: Attributes
}

export function cloudEventsQueue({ sink, sinks = {}, extensions = {} }: CloudEventsOptions): QueueDriver {
  const sinkOf = (queue: string): string | undefined => (Object.hasOwn(sinks, queue) ? sinks[queue] : sink)
  async function emit(queue: string, attributes: Attributes, data: unknown): Promise<void> {
    const url = sinkOf(queue)
    if (url === undefined)
      throw unavailable('queue', new Error(`no sink for ${queue}: neither K_SINK nor SINKS has one`))
    await post(url, {
      headers: { ...attributeHeaders({ ...attributes, ...extensions }), 'content-type': 'application/json' },
      body: JSON.stringify(data ?? null),
    })
  }

  return {
    ...deliveredQueue({
      platform: 'Knative Eventing',
      send: (message) => emit(message.queue, attributesOf(message), message.data),
      bury: (letter) => emit(deadQueueOf(letter.message.queue), attributesOfLetter(letter), letter.message.data),
    }),
    // With nowhere to bury, the platform does it, by its deadLetterSink.
    hasGrave: (queue) => sinkOf(deadQueueOf(queue)) !== undefined,
  }
}
