/** CloudEvents 1.0 as HTTP brings them: binary and structured content mode (HTTP protocol binding 3.1 and 3.2). */
import { attributeHeaders, attributeOf } from '#shared/attribute.ts'
import { STRUCTURED } from '#shared/cloud-event.ts'
import { Problem } from '#shared/errors.ts'
import { MIB } from '#shared/limits.ts'
import type { Message } from '#shared/message.ts'

/** Bytes of an event: what the largest of the platforms' queues lets through, in base64 and with its envelope. */
export const EVENT_BYTES_MAX = 16 * MIB

export interface ArrivedEvent {
  /** Context attributes by name, extensions among them; never `datacontenttype`. */
  attributes: Readonly<Record<string, string>>
  /** `datacontenttype`; null where there is none. */
  contentType: string | null
  data: Buffer
}

function refusal(detail: string): Problem {
  return new Problem('invalid-request', detail)
}

/** Throws TypeError for a name or a content type that no header can have. */
function headersOf({ attributes, contentType }: Pick<ArrivedEvent, 'attributes' | 'contentType'>): Headers {
  const headers = new Headers(attributeHeaders(attributes))
  if (contentType !== null) headers.set('content-type', contentType)
  return headers
}

/** Throws Problem `invalid-request` where an attribute that every event has is missing, or where one can be no header. */
export function checkEvent(event: ArrivedEvent): ArrivedEvent {
  const { attributes } = event
  for (const name of ['specversion', 'id', 'source', 'type']) {
    if (!attributes[name]) throw refusal(`Expected a CloudEvent; its attribute ${name} is missing.`)
  }
  if (attributes['specversion'] !== '1.0') throw refusal(`Expected CloudEvents 1.0, got ${attributes['specversion']}.`)
  try {
    headersOf(event)
  } catch (cause) {
    throw new Problem('invalid-request', 'An attribute of the event cannot be a header.', { cause })
  }
  return event
}

function binaryEvent(headers: Headers, data: Buffer): ArrivedEvent {
  const named = [...headers].filter(([name]) => name.startsWith('ce-'))
  const attributes = Object.fromEntries(named.map(([name, value]) => [name.slice(3), attributeOf(value)]))
  return { attributes, contentType: headers.get('content-type'), data }
}

function canonical(name: string, value: unknown): string {
  if (!/^[a-z0-9]+$/.test(name)) throw refusal(`${JSON.stringify(name)} is no name of an attribute.`)
  if (typeof value === 'string') return value
  if (typeof value === 'boolean' || Number.isInteger(value)) return String(value)
  throw refusal(`The attribute ${name} is neither text nor an integer nor a boolean.`)
}

function dataOf(event: Record<string, unknown>, contentType: string): Buffer {
  const { data, data_base64: base64 } = event
  if (typeof base64 === 'string') return Buffer.from(base64, 'base64')
  if (data === undefined) return Buffer.alloc(0)
  const isJson = /^[^;]*[/+]json\s*(;|$)/i.test(contentType)
  return Buffer.from(typeof data === 'string' && !isJson ? data : JSON.stringify(data))
}

/** JSON event format 1.0 (§2, §3). Data without a type is JSON. */
export function structuredEvent(text: string): ArrivedEvent {
  let event: unknown
  try {
    event = JSON.parse(text)
  } catch (cause) {
    throw new Problem('invalid-request', 'Expected a CloudEvent in JSON; the body is no JSON.', { cause })
  }
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw refusal('Expected a CloudEvent in JSON; the body is no object.')
  }
  const { data: _, data_base64: _base64, datacontenttype, ...context } = event as Record<string, unknown>
  const given = Object.entries(context).filter(([, value]) => value !== null)
  const attributes = Object.fromEntries(given.map(([name, value]) => [name, canonical(name, value)]))
  const contentType = typeof datacontenttype === 'string' ? datacontenttype : 'application/json'
  return { attributes, contentType, data: dataOf(event as Record<string, unknown>, contentType) }
}

export function isEvent(headers: Headers): boolean {
  return headers.has('ce-specversion') || /^application\/cloudevents\b/i.test(headers.get('content-type') ?? '')
}

/** Throws Problem `invalid-request`, and says what is missing, for whatever is no single CloudEvent. */
export function eventOfHttp(headers: Headers, body: Buffer): ArrivedEvent {
  const type = headers.get('content-type') ?? ''
  if (type.toLowerCase().startsWith(STRUCTURED)) return checkEvent(structuredEvent(body.toString()))
  if (/^application\/cloudevents\b/i.test(type)) throw refusal(`Expected ${STRUCTURED} or binary mode, got ${type}.`)
  if (!headers.has('ce-specversion')) {
    throw refusal(`Expected a CloudEvent: neither the header ce-specversion nor a body of type ${STRUCTURED} came.`)
  }
  return checkEvent(binaryEvent(headers, body))
}

/** The whole body, up to EVENT_BYTES_MAX; throws Problem `too-large` beyond. */
export async function bodyOf(request: Request): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length
    if (bytes > EVENT_BYTES_MAX) throw new Problem('too-large', `An event has at most ${EVENT_BYTES_MAX} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function valueOf({ data, contentType }: ArrivedEvent): unknown {
  const text = data.toString()
  if (!/json/i.test(contentType ?? 'application/json')) return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

/** What is known of it where it is no request: on `<queue>-dead`, and in the log. `parent`: the request's traceparent. */
export function messageOf(event: ArrivedEvent, queue: string, parent: string | null = null): Message {
  const { id = '', type = '', subject = '', time = new Date().toISOString() } = event.attributes
  const traceparent = event.attributes['traceparent'] ?? parent
  const message = { queue, id, type, subject, time, data: event.data.length > 0 ? valueOf(event) : null }
  return traceparent ? { ...message, traceparent } : message
}

/** The event as its function takes it: in binary mode, with every attribute that it came with. */
export function requestOf(event: ArrivedEvent): (message: Message, attempt: number, traceparent: string) => Request {
  return (_message, attempt, traceparent) => {
    const attributes = { ...event.attributes, attempt: String(attempt), traceparent }
    const headers = headersOf({ ...event, attributes })
    headers.set('traceparent', traceparent)
    return new Request('http://queue.invalid/', { method: 'POST', headers, body: new Uint8Array(event.data) })
  }
}
