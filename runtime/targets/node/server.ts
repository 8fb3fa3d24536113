/** The local target: node:http through @hono/node-server's request and response, with the limits of a public server. */
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeader,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Problem, problemResponse } from '#shared/errors.ts'
import { UPLOAD_TOTAL_MS } from '../../limits.ts'
import { answerClientErrors } from './client-errors.ts'
import { relieveUploads } from './upload-memory.ts'
import { BODY_IDLE_MS, HEADER_BYTES_MAX, HEADERS_MS, KEEP_ALIVE_MS } from './limits.ts'
import { type HttpHandler, SECURE_HEADERS } from '../../triggers/http.ts'

export const MALFORMED = new Problem('invalid-request', 'The request line or the Host header is malformed.', {
  headers: SECURE_HEADERS,
})

export interface Listening {
  url: string
  port: number
  /** Takes no further connection; resolves when those that are open have had their answer, or `force` was called. */
  close(): Promise<void>
  force(): void
}

/**
 * A reader that takes nothing for BODY_IDLE_MS is cut off, so that what it holds open is let go. Bound to the socket,
 * whose idle timer runs anyway: a request pays nothing. Silence before the answer begins is the function's own time.
 */
function boundIdleBodies(server: Server, idleMs: number): void {
  const answers = new WeakMap<Socket, ServerResponse>()
  server.prependListener('request', (incoming, outgoing) => answers.set(incoming.socket, outgoing))
  server.setTimeout(idleMs, (socket) => {
    // Also when the answer is out and KEEP_ALIVE_MS brought no other request: whoever listens here ends that, not Node.
    const isWaiting = socket.writableLength === 0 && !answers.get(socket)?.headersSent
    if (!isWaiting) socket.destroy()
  })
}

/**
 * A Response that @hono/node-server streams as it is. One whose body was looked at it reads ahead, and when that fails
 * it sends the error's message to the client. `cache` is its mark of the others; without it this is only slower.
 */
export function unread(response: Response): Response {
  if (Object.getOwnPropertySymbols(response).some(({ description }) => description === 'cache')) return response
  return new Response(response.body, { status: response.status, headers: response.headers })
}

type Headers = Record<string, OutgoingHttpHeader>

/** Names without regard to case; what is in `theirs` wins. `own` has lower-case names. */
function merged(own: Headers, theirs: Headers): Headers {
  const all = { ...own }
  for (const name in theirs) {
    const lower = name.toLowerCase()
    if (lower !== name) delete all[lower]
    all[name] = theirs[name]!
  }
  return all
}

/**
 * Headers beside those of the Response, which wins. They are added in the one writeHead that @hono/node-server makes:
 * each setHeader before it would take Node off its fast path, together a tenth of a request's CPU.
 */
function headersBeside(outgoing: ServerResponse): (name: string, value: string) => void {
  const own: Headers = {}
  const writeHead = outgoing.writeHead.bind(outgoing) as (status: number, headers: Headers) => ServerResponse
  outgoing.writeHead = ((status: number, theirs: Headers = {}) =>
    writeHead(status, merged(own, theirs))) as ServerResponse['writeHead']
  return (name, value) => {
    own[name.toLowerCase()] = value
  }
}

function contextOf(incoming: IncomingMessage, outgoing: ServerResponse) {
  const { socket } = incoming
  return {
    client: socket.remoteAddress ?? '',
    bytesRead: () => socket.bytesRead,
    bodyComplete: () => incoming.complete,
    setHeader: headersBeside(outgoing),
  }
}

export function nodeServer(handler: HttpHandler, bodyIdleMs = BODY_IDLE_MS, headersMs = HEADERS_MS): Server {
  const listener = getRequestListener(
    async (request, env) => {
      const { incoming, outgoing } = env as HttpBindings
      return unread(await handler(request, contextOf(incoming, outgoing)))
    },
    {
      // What never became a Request: a Host or a target that is no URL.
      errorHandler: () => problemResponse(MALFORMED, { instance: '/' }),
    },
  )
  const server = createServer({
    maxHeaderSize: HEADER_BYTES_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: UPLOAD_TOTAL_MS,
    headersTimeout: headersMs,
    // How often Node looks whose time is up; its own 30 s would make thrice the time of it.
    connectionsCheckingInterval: headersMs / 3,
    noDelay: true,
  })
  server.on('request', (incoming, outgoing) => void listener(incoming, outgoing))
  boundIdleBodies(server, bodyIdleMs)
  answerClientErrors(server)
  relieveUploads(server)
  return server
}

export async function listen(server: Server, port: number, host: string): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address() as AddressInfo
  const name =
    address.address === '0.0.0.0' || address.address === '::'
      ? 'localhost'
      : address.family === 'IPv6'
        ? `[${address.address}]`
        : address.address
  return {
    url: `http://${name}:${address.port}`,
    port: address.port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
    force: () => server.closeAllConnections(),
  }
}
