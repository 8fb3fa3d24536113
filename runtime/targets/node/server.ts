/** The local target: node:http through @hono/node-server's request and response, with the limits of a public server. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Problem, problemResponse } from '#shared/errors.ts'
import { Answer, answerOn } from './answer.ts'
import { answerClientErrors } from './client-errors.ts'
import { letGoOfBodies } from './rest-of-body.ts'
import { relieveUploads } from './upload-memory.ts'
import { BODY_IDLE_MS, HEADER_BYTES_MAX, HEADERS_MS, KEEP_ALIVE_MS, REQUEST_MS } from './limits.ts'
import { type HttpContext, type HttpHandler, SECURE_HEADERS } from '../../triggers/http.ts'

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
  server.setTimeout(idleMs, (socket) => {
    // Also when the answer is out and KEEP_ALIVE_MS brought no other request: whoever listens here ends that, not Node.
    const isWaiting = !socket.writableEnded && socket.writableLength === 0 && !answerOn(socket)?.headersSent
    if (!isWaiting) socket.destroy()
  })
}

/** @hono/node-server's mark of a Response that nobody has looked into; found once, on the first of them. */
let mark: symbol | undefined

/**
 * A Response that @hono/node-server streams as it is. One whose body was looked at it reads ahead, and when that fails
 * it sends the error's message to the client. `cache` is its mark of the others; without it this is only slower.
 */
export function unread(response: Response): Response {
  mark ??= Object.getOwnPropertySymbols(response).find(({ description }) => description === 'cache')
  if (mark !== undefined && Object.hasOwn(response, mark)) return response
  return new Response(response.body, { status: response.status, headers: response.headers })
}

function contextOf(incoming: IncomingMessage, answer: Answer): HttpContext {
  const { socket } = incoming
  return {
    client: socket.remoteAddress ?? '',
    bytesRead: () => socket.bytesRead,
    bodyComplete: () => incoming.complete,
    setHeaders: (headers) => answer.setBeside(headers),
  }
}

export interface NodeServerOptions {
  /** PUBLIC_URL, the base of a problem's `type`: of those too that no function and no trigger comes to see. */
  publicUrl?: string | undefined
  bodyIdleMs?: number | undefined
  headersMs?: number | undefined
}

export function nodeServer(handler: HttpHandler, options: NodeServerOptions = {}): Server {
  const { publicUrl, bodyIdleMs = BODY_IDLE_MS, headersMs = HEADERS_MS } = options
  const listener = getRequestListener(
    async (request, env) => {
      const { incoming, outgoing } = env as HttpBindings
      return unread(await handler(request, contextOf(incoming, outgoing as Answer)))
    },
    {
      // What never became a Request: a Host or a target that is no URL.
      errorHandler: () => problemResponse(MALFORMED, { publicUrl, instance: '/' }),
    },
  )
  const server = createServer<typeof IncomingMessage, typeof Answer>({
    ServerResponse: Answer,
    maxHeaderSize: HEADER_BYTES_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_MS,
    headersTimeout: headersMs,
    // How often Node looks whose time is up; its own 30 s would make thrice the time of it.
    connectionsCheckingInterval: headersMs / 3,
    noDelay: true,
  })
  server.on('request', (incoming, outgoing) => void listener(incoming, outgoing))
  letGoOfBodies(server)
  boundIdleBodies(server, bodyIdleMs)
  answerClientErrors(server, publicUrl)
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
