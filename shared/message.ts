/** A queue message is a CloudEvent (CNCF CloudEvents 1.0); these are the events that Revela's functions send each other. */
import { attributeOf } from './attribute.ts'
import { Problem } from './errors.ts'

export const QUEUES = { images: 'image-processing', callbacks: 'task-callbacks' } as const

export interface Message {
  /** The queue it is for. */
  queue: string
  /** CloudEvents `id`; a message whose id still waits in the queue is not added twice. Dots, no colons, not a number. */
  id: string
  type: string
  /** The task's id. */
  subject: string
  /** RFC 3339. */
  time: string
  data: unknown
  /** W3C Trace Context, so that the queue function logs under the trace of the request that caused it. */
  traceparent?: string
}

export type MessageType = 'task.created' | 'variant.wanted' | 'task.settled'

export const DERIVED_FORMATS = ['webp', 'avif'] as const
export type DerivedFormat = (typeof DERIVED_FORMATS)[number]

export interface VariantWanted {
  variant: string
  format: DerivedFormat
}

type Trace = string | undefined

function message(queue: string, type: MessageType, id: string, taskId: string, data: unknown, trace: Trace): Message {
  const time = new Date().toISOString()
  return { queue, id, type, subject: taskId, time, data, ...(trace ? { traceparent: trace } : {}) }
}

/** Asks process-image to finish a task. The same task always gives the same id, so a second one is a duplicate. */
export function taskCreated(taskId: string, trace?: Trace): Message {
  return message(QUEUES.images, 'task.created', `${taskId}.created`, taskId, {}, trace)
}

/** Asks process-image for another encoding of a finished variant; single-flight across replicas by its id. */
export function variantWanted(taskId: string, data: VariantWanted, trace?: Trace): Message {
  const id = `${taskId}.${data.variant}.${data.format}`
  return message(QUEUES.images, 'variant.wanted', id, taskId, data, trace)
}

/** Asks notify to tell the client that a task is terminal. */
export function taskSettled(taskId: string, trace?: Trace): Message {
  return message(QUEUES.callbacks, 'task.settled', `${taskId}.settled`, taskId, {}, trace)
}

export interface CloudEvent {
  id: string
  type: string
  subject: string
  data: unknown
}

/** Reads a binary-mode CloudEvent. A message that is none is a 400, which is dead at once: never acked silently. */
export async function readEvent(request: Request): Promise<CloudEvent> {
  const header = (name: string): string => {
    const value = request.headers.get(`ce-${name}`)
    if (!value)
      throw new Problem('invalid-request', `Expected a CloudEvent in binary mode; the header ce-${name} is missing.`)
    return attributeOf(value)
  }
  const event = { id: header('id'), type: header('type'), subject: header('subject') }
  if (header('specversion') !== '1.0') {
    throw new Problem('invalid-request', `Expected CloudEvents 1.0, got ${header('specversion')}.`)
  }
  const text = await request.text()
  if (text === '') return { ...event, data: undefined }
  try {
    return { ...event, data: JSON.parse(text) as unknown }
  } catch (cause) {
    throw new Problem('invalid-request', 'The event data is not valid JSON.', { cause })
  }
}
