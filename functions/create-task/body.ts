/** The request's body: which kind it is, and its bytes, at the pace of whoever takes them. */
import { Buffer } from 'node:buffer'
import { Problem } from '#shared/errors.ts'
import { FIELDS_BYTES_MAX, KIB } from '#shared/limits.ts'
import { invalid } from './faults.ts'

export type BodyKind = 'multipart' | 'raw' | 'json'

/** Bytes that boundaries and part headers may add to a multipart body. */
export const MULTIPART_OVERHEAD_MAX = 64 * KIB

const ACCEPTED_BODIES = 'multipart/form-data, image/*, application/octet-stream or application/json'

function kindOf(contentType: string): BodyKind | null {
  const essence = contentType.split(';')[0]!.trim().toLowerCase()
  if (essence === 'multipart/form-data') return 'multipart'
  if (essence === 'application/octet-stream' || essence.startsWith('image/')) return 'raw'
  return /^application\/([\w.-]+\+)?json$/.test(essence) ? 'json' : null
}

const NO_IMAGE = 'Expected an image, got no body.'

function unsupported(got: string): Problem {
  return new Problem('unsupported-media-type', `Expected ${ACCEPTED_BODIES}, got ${got}.`)
}

/** Without a Content-Type a body is of no kind; but a server may hand over a stream where nothing was sent. */
async function refuseUntyped(body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<never> {
  for await (const chunk of chunksOf(body, signal)) if (chunk.length > 0) throw unsupported('no Content-Type')
  throw invalid('', NO_IMAGE)
}

/** The kind of body by its Content-Type; of a body that is accepted nothing is read. */
export async function bodyKind(request: Request, signal: AbortSignal): Promise<BodyKind> {
  const { headers, body } = request
  if (body === null || headers.get('content-length') === '0') throw invalid('', NO_IMAGE)
  const contentType = headers.get('content-type')
  if (contentType === null) return await refuseUntyped(body, signal)
  const kind = kindOf(contentType)
  if (kind === null) throw unsupported(contentType.slice(0, 100))
  const encoding = headers.get('content-encoding')
  if (encoding !== null && encoding.toLowerCase() !== 'identity') {
    throw new Problem(
      'unsupported-media-type',
      `Expected a body as it is, got Content-Encoding ${encoding.slice(0, 100)}.`,
    )
  }
  return kind
}

export function tooLarge(max: number, what = 'The image'): Problem {
  return new Problem('too-large', `${what} has more than ${max} bytes, the most that is accepted.`)
}

/** Refuses by Content-Length what would be refused by counting; chunked bodies are counted alone. */
export function refuseLength(request: Request, kind: BodyKind, inputBytesMax: number): void {
  const length = Number(request.headers.get('content-length') ?? 0)
  if (kind === 'raw' && length > inputBytesMax) throw tooLarge(inputBytesMax)
  if (kind === 'json' && length > FIELDS_BYTES_MAX) throw tooLarge(FIELDS_BYTES_MAX, 'The JSON body')
  if (kind === 'multipart' && length > inputBytesMax + FIELDS_BYTES_MAX + MULTIPART_OVERHEAD_MAX) {
    throw tooLarge(inputBytesMax)
  }
}

/** The sender stopped: it went away, was too slow, or its stream broke. */
function stopped(cause: unknown): Problem {
  return new Problem('request-timeout', 'The request body did not arrive as a whole. Nothing was stored.', { cause })
}

/**
 * Rejects when the signal aborts, also while nothing arrives. What is left unread stays with the runtime: cancelling
 * the stream would close the connection before a refusal is read.
 */
export async function* chunksOf(body: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  const stop = (): void => reader.releaseLock()
  signal.addEventListener('abort', stop, { once: true })
  try {
    for (;;) {
      if (signal.aborted) throw stopped(signal.reason)
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw stopped(signal.aborted ? signal.reason : cause)
      })
      if (done) return
      yield value
    }
  } finally {
    signal.removeEventListener('abort', stop)
    reader.releaseLock()
  }
}

/** A JSON object's members; 400 for anything else. */
export async function readJson(chunks: AsyncIterable<Uint8Array>): Promise<Map<string, unknown>> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > FIELDS_BYTES_MAX) throw tooLarge(FIELDS_BYTES_MAX, 'The JSON body')
    parts.push(chunk)
  }
  if (bytes === 0) throw invalid('', NO_IMAGE)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts, bytes)))
  } catch (cause) {
    throw invalid('', 'Expected a JSON object, got text that is no valid JSON.', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('', 'Expected a JSON object with url or taskId, got another JSON value.')
  }
  return new Map(Object.entries(value))
}
