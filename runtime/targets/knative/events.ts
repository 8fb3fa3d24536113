/** What Knative Eventing sends: a trigger's messages, and the ticks of a PingSource. */
import { Problem } from '#shared/errors.ts'
import { eventOfHttp, messageOf, requestOf } from '../cloud/http-event.ts'
import type { Pushed, PushedRequest } from '../cloud/pushed.ts'

const PING = 'dev.knative.sources.ping'

/** Knative does not say how often it has sent an event. Throws Problem `invalid-request` for what is no event. */
export function readKnativeEvent({ headers, body, queue, hasTimer }: PushedRequest): Pushed {
  const event = eventOfHttp(headers, body)
  const { type, time, queue: named = queue } = event.attributes
  // The same instant each time that it is sent again.
  if (hasTimer && type === PING) return { kind: 'tick', at: time === undefined ? Date.now() : Date.parse(time) }
  if (named === null) throw new Problem('invalid-request', 'The event names no queue, and no single one is served.')
  const message = messageOf(event, named, headers.get('traceparent'))
  return { kind: 'message', message, received: null, requestOf: requestOf(event) }
}
