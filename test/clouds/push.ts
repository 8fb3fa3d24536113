/**
 * Push subscriptions, as Pub/Sub delivers: only 102, 200, 201, 202 and 204 acknowledge, Retry-After is not obeyed, and
 * after maxDeliveryAttempts a message is on the dead-letter topic. `how`: pushed as it is, or by way of Eventarc.
 */
import { type Dispatcher, dispatcher } from './dispatcher.ts'
import type { PubsubMessage } from './pubsub-server.ts'

export interface PushSubscription {
  topic: string
  /** Runs it with the address of the process that is to have the message. */
  share: <T>(run: (url: string) => Promise<T>) => Promise<T>
  concurrency: number
  maxDeliveryAttempts: number
  how: 'push' | 'eventarc'
}

const ACKS: ReadonlySet<number> = new Set([102, 200, 201, 202, 204])
/** The service's own least is 10 s; more than a second, so that the tries have times of their own. */
const BACKOFF_MS = 1_100
const DOUBLINGS_MAX = 4

function headersOf({ messageId }: PubsubMessage, topic: string, how: PushSubscription['how']): Record<string, string> {
  if (how === 'push') return {}
  return {
    'ce-specversion': '1.0',
    'ce-id': messageId,
    'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
    'ce-source': `//pubsub.googleapis.com/projects/test/topics/${topic}`,
    'ce-time': new Date().toISOString(),
  }
}

export function pushSubscription(subscription: PushSubscription): Dispatcher<PubsubMessage> {
  const { topic, share, concurrency, maxDeliveryAttempts, how } = subscription
  return dispatcher<PubsubMessage>({
    concurrency,
    async deliver(message, attempt) {
      const body = { message, subscription: `projects/test/subscriptions/${topic}`, deliveryAttempt: attempt }
      const status = await share(async (url) => {
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headersOf(message, topic, how) },
          body: JSON.stringify(body),
          redirect: 'manual',
        })
        await response.body?.cancel()
        return response.status
      })
      if (ACKS.has(status)) return { kind: 'done' }
      if (attempt >= maxDeliveryAttempts) return { kind: 'given-up' }
      return { kind: 'again', afterMs: BACKOFF_MS * 2 ** Math.min(attempt - 1, DOUBLINGS_MAX) }
    },
  })
}
