/** What reaches a function from Pub/Sub and Eventarc, and the ticks of Cloud Scheduler. */
import { z } from 'zod'
import { Problem } from '#shared/errors.ts'
import {
  type ArrivedEvent,
  checkEvent,
  eventOfHttp,
  isEvent,
  messageOf,
  requestOf,
  structuredEvent,
} from '../cloud/http-event.ts'
import type { Pushed, PushedRequest } from '../cloud/pushed.ts'

/** Eventarc's envelope around a message of Pub/Sub; other events come as they are. */
const PUBLISHED = 'google.cloud.pubsub.topic.v1.messagePublished'

/** The body of a push subscription (cloud.google.com/pubsub/docs/push). An attempt is told where it has a dead-letter topic. */
const Push = z.object({
  message: z.object({
    data: z.string().default(''),
    attributes: z.record(z.string(), z.string()).default({}),
    messageId: z.string(),
  }),
  subscription: z.string(),
  deliveryAttempt: z.int().min(1).optional(),
})
type Push = z.infer<typeof Push>

/** The event in a message, in either mode (Pub/Sub protocol binding for CloudEvents 3). */
function eventIn({ message: { data, attributes } }: Push): ArrivedEvent {
  const named = new Map(Object.entries(attributes).map(([name, value]) => [name.toLowerCase(), value]))
  const contentType = named.get('content-type') ?? null
  const bytes = Buffer.from(data, 'base64')
  if (contentType?.startsWith('application/cloudevents')) return checkEvent(structuredEvent(bytes.toString()))
  const own = [...named].filter(([name]) => name.startsWith('ce-'))
  const context = Object.fromEntries(own.map(([name, value]) => [name.slice(3), value]))
  return checkEvent({ attributes: context, contentType, data: bytes })
}

function pushOf(text: string): Push {
  try {
    return Push.parse(JSON.parse(text))
  } catch (cause) {
    const detail =
      'Expected a message as Pub/Sub pushes it: { message: { data, attributes, messageId }, subscription }.'
    throw new Problem('invalid-request', detail, { cause })
  }
}

/** Text where it is some, to be read by an operator. */
function shown({ message: { data } }: Push): string {
  const bytes = Buffer.from(data, 'base64')
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? text : data
}

function taken(event: ArrivedEvent, received: number | null, { headers, queue }: PushedRequest): Pushed {
  const { queue: named = queue } = event.attributes
  if (named === null) throw new Problem('invalid-request', 'The event names no queue, and no single one is served.')
  const message = messageOf(event, named, headers.get('traceparent'))
  return { kind: 'message', message, received, requestOf: requestOf(event) }
}

function published(text: string, request: PushedRequest): Pushed {
  const push = pushOf(text)
  let event: ArrivedEvent
  try {
    event = eventIn(push)
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return { kind: 'unreadable', id: push.message.messageId, text: shown(push) }
  }
  return taken(event, push.deliveryAttempt ?? null, request)
}

/** Throws Problem `invalid-request` for what is neither an event nor a push. */
export function readGoogleEvent(request: PushedRequest): Pushed {
  const { headers, body, hasTimer } = request
  const scheduled = headers.get('x-cloudscheduler-scheduletime')
  if (hasTimer && (scheduled !== null || headers.has('x-cloudscheduler'))) {
    // The same instant each time that it is tried again.
    return { kind: 'tick', at: scheduled === null ? Date.now() : Date.parse(scheduled) }
  }
  if (!isEvent(headers)) return published(body.toString(), request)
  const event = eventOfHttp(headers, body)
  if (event.attributes['type'] === PUBLISHED) return published(event.data.toString(), request)
  return taken(event, null, request)
}
