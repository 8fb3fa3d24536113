/** A server of pictures and other things on 127.0.0.1, for URL sources; what it answers, the scenario says. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createNetServer } from 'node:net'

type Answer = (response: ServerResponse, request: IncomingMessage) => void

export interface SourceServer extends AsyncDisposable {
  port: number
  /** Makes a path answer so from now on, and gives its URL. */
  at(path: string, answer: Answer): string
  /** A path with these bytes. */
  file(path: string, bytes: Uint8Array, headers?: Record<string, string>): string
  status(path: string, status: number, headers?: Record<string, string>): string
  /** A path that answers with the bytes only once it is released; `asked` resolves when somebody asks for it. */
  held(path: string, bytes: Uint8Array): { url: string; asked: Promise<void>; release: () => void }
  /** How often a path was asked for. */
  visits(path: string): number
}

export async function sourceServer(): Promise<SourceServer> {
  const answers = new Map<string, Answer>()
  const counts = new Map<string, number>()
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    counts.set(path, (counts.get(path) ?? 0) + 1)
    response.on('error', () => undefined)
    const answer = answers.get(path)
    if (answer) answer(response, request)
    else response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const at: SourceServer['at'] = (path, answer) => {
    answers.set(path, answer)
    return `http://127.0.0.1:${port}${path}`
  }
  return {
    port,
    at,
    file: (path, bytes, headers = {}) => at(path, (response) => void response.writeHead(200, headers).end(bytes)),
    status: (path, status, headers = {}) => at(path, (response) => void response.writeHead(status, headers).end()),
    held(path, bytes) {
      const asked = Promise.withResolvers<void>()
      const released = Promise.withResolvers<void>()
      const url = at(path, (response) => {
        asked.resolve()
        void released.promise.then(() => response.end(bytes))
      })
      return { url, asked: asked.promise, release: released.resolve }
    },
    visits: (path) => counts.get(path) ?? 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A port of this machine that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createNetServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
