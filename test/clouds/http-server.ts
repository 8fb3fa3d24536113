/** A loopback HTTP server for a test, which reads every request whole before it answers. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Asked {
  method: string
  /** Path and query. */
  path: string
  headers: IncomingHttpHeaders
  body: Buffer
}

export interface Answer {
  status: number
  headers?: Record<string, string>
  body?: string
}

export interface LoopbackServer extends AsyncDisposable {
  /** No slash at its end. */
  url: string
}

export async function loopbackServer(answer: (asked: Asked) => Answer | Promise<Answer>): Promise<LoopbackServer> {
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const { method = '', url: path = '', headers } = incoming
      Promise.resolve(answer({ method, path, headers, body: Buffer.concat(chunks) })).then(
        ({ status, headers: given = {}, body }) => outgoing.writeHead(status, given).end(body),
        (error: unknown) => outgoing.writeHead(500).end(String(error)),
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
