/** What a client is sent: a CloudEvent in structured mode, signed as Standard Webhooks asks. */
import { Webhook } from 'standardwebhooks'
import type { TaskRepresentation } from '#shared/representation.ts'

export interface SignedEvent {
  headers: Record<string, string>
  body: string
}

interface EventOptions {
  /** The same on each try: by it the client knows a repetition. */
  id: string
  /** PUBLIC_URL. */
  source: string
  /** `whsec_…`; one signature each, so that a client may verify with an old or a new one during a rotation. */
  secrets: readonly string[]
  now: Date
}

/** CloudEvents 1.0 (JSON format) in a Standard Webhooks 1.0 request. */
export function signedEvent(task: TaskRepresentation, { id, source, secrets, now }: EventOptions): SignedEvent {
  const body = JSON.stringify({
    specversion: '1.0',
    id,
    type: `task.${task.status}`,
    source,
    subject: task.id,
    time: task.completedAt,
    datacontenttype: 'application/json',
    data: task,
  })
  const headers = {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, now, body)).join(' '),
  }
  return { headers, body }
}
