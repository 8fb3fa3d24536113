/** Local servers that a guarded fetch is sent to, and names for them. */
import { once } from 'node:events'
import type { LookupAddress } from 'node:dns'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { FetchOptions } from '../fetch.ts'

export interface LocalServer extends AsyncDisposable {
  port: number
  /** `http://127.0.0.1:{port}` */
  url: string
  requests: IncomingMessage[]
  connections: Socket[]
}

async function listening(server: Server, requests: IncomingMessage[]): Promise<LocalServer> {
  const connections: Socket[] = []
  server.on('connection', (socket) => {
    // Tests cut connections; nobody here is interested in how that looks from this side.
    socket.on('error', () => {})
    connections.push(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    requests,
    connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of connections) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

export async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<LocalServer> {
  const requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  return await listening(server, requests)
}

/** Speaks no HTTP but what `talk` writes. */
export async function serveTcp(talk: (socket: Socket) => void): Promise<LocalServer> {
  return await listening(createTcpServer(talk), [])
}

/** A resolver with these names and no other. Each call takes the next of a name's answers; the last one stays. */
export function names(table: Record<string, string[][]>): NonNullable<FetchOptions['lookup']> {
  const calls: Record<string, number> = {}
  return (asked, _options, callback) => {
    const hostname = asked.replace(/\.$/, '')
    const call = (calls[hostname] = (calls[hostname] ?? -1) + 1)
    const addresses = table[hostname]?.at(call) ?? table[hostname]?.at(-1)
    if (addresses === undefined) {
      callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' }), [])
      return
    }
    const found = addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }))
    callback(null, found)
  }
}

/** However it comes: a connection that was cut is reset, and that is an error to `once`. */
export async function closing(socket: Socket): Promise<void> {
  await new Promise((resolve) => socket.once('close', resolve))
}

/** A signal that never aborts. */
export function forever(): AbortSignal {
  return new AbortController().signal
}

/** What a request rejected with; fails the test when it did not. */
export async function problemOf(request: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await request
  } catch (error) {
    return error as { code: string; message: string }
  }
  throw new Error('expected the request to be rejected')
}
