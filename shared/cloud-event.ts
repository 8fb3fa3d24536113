/** A message as one JSON object, for queues that carry bytes: a structured-mode CloudEvent (CloudEvents 1.0, JSON format). */
import { z } from '@hono/zod-openapi'
import type { Message } from './message.ts'

export const STRUCTURED = 'application/cloudevents+json'

export function structured({ id, type, subject, time, data, traceparent }: Message): Record<string, unknown> {
  const trace = traceparent ? { traceparent } : {}
  return {
    specversion: '1.0',
    id,
    type,
    source: '/revela',
    subject,
    time,
    datacontenttype: 'application/json',
    ...trace,
    data: data ?? null,
  }
}

const Event = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  type: z.string().min(1),
  subject: z.string().min(1),
  time: z.string().optional(),
  traceparent: z.string().optional(),
  data: z.unknown(),
})

/** The message of an event that came on this queue; null when it is no CloudEvent with a subject. */
export function messageOfEvent(event: unknown, queue: string): Message | null {
  const parsed = Event.safeParse(event)
  if (!parsed.success) return null
  const { id, type, subject, time = new Date().toISOString(), data, traceparent } = parsed.data
  return { queue, id, type, subject, time, data, ...(traceparent ? { traceparent } : {}) }
}

/** As messageOfEvent, of text that should be JSON. */
export function messageOfText(text: string, queue: string): Message | null {
  try {
    return messageOfEvent(JSON.parse(text), queue)
  } catch {
    return null
  }
}
