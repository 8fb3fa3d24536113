/** One request and its Response over a container's HTTP/2 session. */
import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2'
import { Readable } from 'node:stream'
import type { Invocation } from '#shared/bindings.ts'
import { FunctionDied } from '../../invocation.ts'
import { INVOCATION_HEADER, type InvocationHeader, NOTES_HEADER } from './container-protocol.ts'

export interface Exchange {
  session: ClientHttp2Session
  request: Request
  invocation: Invocation
  /** Resolves when so many notes of the invocation have come. */
  heard: (notes: number) => Promise<void>
  /** Called when nothing more flows, in either direction. */
  onClose: () => void
}

/** Nobody reads it: the client went away, or was told that it is too late. nginx's number, for the log. */
const CLIENT_GONE = 499

export function clientGone(): Response {
  return new Response(null, { status: CLIENT_GONE })
}

/** What the Fetch standard calls null body statuses; a Response with a body cannot have them. */
const NULL_BODY = new Set([101, 103, 204, 205, 304])

/** Connection-specific fields have no place in HTTP/2 (RFC 9113 §8.2.2); node:http2 drops those of an answer itself. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'host',
  'upgrade',
  'proxy-connection',
  'te',
  'expect',
  'http2-settings',
])

/** Who sent them is judged before, and stands in `caller`: what hostile input takes over must not find them. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'x-api-key', 'cookie', 'proxy-authorization'])

function requestHeaders(request: Request, invocation: Invocation): Record<string, string> {
  const url = new URL(request.url)
  const headers: Record<string, string> = {
    ':method': request.method,
    ':path': url.pathname + url.search,
    ':authority': url.host,
    ':scheme': 'http',
  }
  for (const [name, value] of request.headers) {
    if (!CONNECTION_FIELDS.has(name) && !CREDENTIALS.has(name)) headers[name] = value
  }
  const { id, function: name, attempt, deadline, traceparent, caller } = invocation
  const header: InvocationHeader = { id, function: name, attempt, deadline, traceparent, caller }
  headers[INVOCATION_HEADER] = JSON.stringify(header)
  return headers
}

function midAnswer(cause?: unknown): FunctionDied {
  return new FunctionDied('The container ended in mid-answer.', { cause })
}

/** A stream that is cut off may end like one that is complete: then its reset code tells that the rest is missing. */
function bodyOf(stream: ClientHttp2Stream): ReadableStream<Uint8Array> {
  const reader = (Readable.toWeb(stream) as ReadableStream<Uint8Array>).getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read().catch((error: unknown) => {
          throw midAnswer(error)
        })
        if (!done) return controller.enqueue(value)
        if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw midAnswer()
        controller.close()
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

function toResponse(stream: ClientHttp2Stream, headers: IncomingHttpHeaders, method: string): Response {
  const status = Number(headers[':status'])
  const own = Object.entries(headers).filter(([name]) => !name.startsWith(':') && name !== NOTES_HEADER)
  const pairs = own.flatMap(([name, value]) => [value ?? ''].flat().map((one): [string, string] => [name, one]))
  const empty = method === 'HEAD' || NULL_BODY.has(status)
  if (empty) stream.resume()
  return new Response(empty ? null : bodyOf(stream), { status, headers: pairs })
}

/** Rejects with FunctionDied when the container ends first. */
export function exchange({ session, request, invocation, heard, onClose }: Exchange): Promise<Response> {
  const { signal } = invocation
  const stream = session.request(requestHeaders(request, invocation), { endStream: request.body === null })
  const cancel = (): void => stream.close(constants.NGHTTP2_CANCEL)
  let cause: unknown
  let bodyFailed = false
  stream.on('error', (error) => (cause = error))
  stream.once('close', onClose)
  signal.addEventListener('abort', cancel, { once: true })
  if (request.body) {
    const body = Readable.fromWeb(request.body)
    body.on('error', () => {
      bodyFailed = true
      cancel()
    })
    body.pipe(stream)
    // A function may answer without reading: what still arrives is let go.
    stream.once('close', () => body.destroy())
  }
  return new Promise((resolve, reject) => {
    let begun = false
    stream.once('response', (headers) => {
      begun = true
      try {
        const response = toResponse(stream, headers, request.method)
        heard(Number(headers[NOTES_HEADER] ?? 0)).then(() => resolve(response), reject)
      } catch (error) {
        // Nothing that Hono sends: a status or header that no Response can have.
        cancel()
        reject(new FunctionDied('The container answered what is no Response.', { cause: error }))
      }
    })
    stream.once('close', () => {
      if (begun) return
      if (bodyFailed || signal.aborted) resolve(clientGone())
      else reject(new FunctionDied('The container ended before it answered.', { cause }))
    })
  })
}

/** Ends a session and what is under way in it. Without an error its streams would end as if all of them had come. */
export function cutOff(session: ClientHttp2Session): void {
  session.destroy(new FunctionDied('The container ended.'), constants.NGHTTP2_CANCEL)
}
