/** Azure's HTTP request and response, and those of Fetch. */
import type { Cookie, HttpRequest, HttpResponseInit } from '@azure/functions'
import { SECOND_MS } from '#shared/limits.ts'
import type { Arrival } from '../cloud/open.ts'

/** Azure's load balancer gives up on a request that has said nothing for so long. */
const REMAINING_MS = 230 * SECOND_MS

/** A body, and what is known of how far it has come: while it arrives, the deadline moves on. */
function watched(body: ReadableStream<Uint8Array>) {
  let bytes = 0
  let complete = false
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.length
      controller.enqueue(chunk)
    },
    flush() {
      complete = true
    },
  })
  return { body: body.pipeThrough(counting), bytesRead: () => bytes, bodyComplete: () => complete }
}

/** Azure's front end adds `address:port`; what stands before it anybody may have sent. */
function clientOf(headers: Headers): string {
  const last = (headers.get('x-forwarded-for') ?? '').split(',').at(-1)!.trim()
  return last.replace(/^(\[[^\]]+\]|[^:]+):\d+$/, '$1')
}

export function requestOf({ method, url, headers, body }: HttpRequest): { request: Request; arrival: Arrival } {
  const arrival = { client: clientOf(headers), remainingMs: REMAINING_MS }
  if (!body) return { request: new Request(url, { method, headers }), arrival }
  const { body: counted, ...progress } = watched(body as ReadableStream<Uint8Array>)
  return {
    request: new Request(url, { method, headers, body: counted, duplex: 'half' }),
    arrival: { ...arrival, ...progress },
  }
}

const SAME_SITE: Record<string, Cookie['sameSite']> = { strict: 'Strict', lax: 'Lax', none: 'None' }

function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** A Set-Cookie line (RFC 6265 §4.1) in parts: Azure writes it out again, and encodes the value. */
function cookieOf(line: string): Cookie {
  const [pair = '', ...given] = line.split(';').map((part) => part.trim())
  const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair)!
  const attributes = new Map(
    given.map((part) => {
      const [, key = '', text = ''] = /^([^=]*)=?(.*)$/s.exec(part)!
      return [key.toLowerCase(), text]
    }),
  )
  const cookie: Cookie = { name, value: decoded(value) }
  const text = (key: 'path' | 'domain'): void => {
    const found = attributes.get(key)
    if (found) cookie[key] = found
  }
  text('path')
  text('domain')
  if (attributes.has('max-age')) cookie.maxAge = Number(attributes.get('max-age'))
  if (attributes.has('expires')) cookie.expires = new Date(attributes.get('expires')!)
  if (attributes.has('secure')) cookie.secure = true
  if (attributes.has('httponly')) cookie.httpOnly = true
  const sameSite = SAME_SITE[attributes.get('samesite')?.toLowerCase() ?? '']
  if (sameSite) cookie.sameSite = sameSite
  return cookie
}

/** Of several Set-Cookie headers Azure would keep the last: it takes them apart from the others. */
export function responseInitOf({ status, headers: given, body }: Response): HttpResponseInit {
  const headers = new Headers(given)
  headers.delete('set-cookie')
  const init: HttpResponseInit = { status, headers, cookies: given.getSetCookie().map(cookieOf) }
  // The types are those of the library's own copy of the Fetch standard.
  return body ? { ...init, body: body as NonNullable<HttpResponseInit['body']> } : init
}
