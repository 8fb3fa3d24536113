/** A request's body: its bytes, at the pace of whoever takes them, and how too many of them are refused. */
import { Buffer } from 'node:buffer'
import { Problem } from './errors.ts'
import { FIELDS_BYTES_MAX } from './limits.ts'
import { invalid } from './options/faults.ts'

export function tooLarge(max: number, what = 'The image'): Problem {
  return new Problem('too-large', `${what} has more than ${max} bytes, the most that is accepted.`)
}

export function refuseEncoding({ headers }: Request): void {
  const encoding = headers.get('content-encoding')
  if (encoding === null || encoding.toLowerCase() === 'identity') return
  const detail = `Expected a body as it is, got Content-Encoding ${encoding.slice(0, 100)}.`
  // What tells an encoding that is not taken from a media type that is not (RFC 9110 §15.5.16).
  throw new Problem('unsupported-media-type', detail, { headers: { 'Accept-Encoding': 'identity' } })
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

/** A JSON object's members; 400 for anything else. `expected` names them: `url or taskId`. */
export async function readJson(chunks: AsyncIterable<Uint8Array>, expected: string): Promise<Map<string, unknown>> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > FIELDS_BYTES_MAX) throw tooLarge(FIELDS_BYTES_MAX, 'The JSON body')
    parts.push(chunk)
  }
  if (bytes === 0) throw invalid('', `Expected a JSON object with ${expected}, got no body.`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts, bytes)))
  } catch (cause) {
    throw invalid('', 'Expected a JSON object, got text that is no valid JSON.', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('', `Expected a JSON object with ${expected}, got another JSON value.`)
  }
  return new Map(Object.entries(value))
}
