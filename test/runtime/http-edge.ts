/** One app behind the whole HTTP edge, on a socket of its own: with limits that a test can reach. */
import { connect } from 'node:net'
import type { App } from '#shared/http.ts'
import { createAccess } from '../../runtime/access.ts'
import { readConfig } from '../../runtime/config.ts'
import { createSystemRoutes } from '../../console/system-routes.ts'
import { createCors } from '../../runtime/cors.ts'
import { hmacLinks } from '../../runtime/drivers/links/hmac.ts'
import { memoryRateLimit } from '../../runtime/drivers/rate-limit/memory.ts'
import { createStreams } from '../../runtime/streams.ts'
import { listen, nodeServer } from '../../runtime/targets/node/server.ts'
import { createHttpHandler } from '../../runtime/triggers/http.ts'
import { type FunctionOptions, inlineFunction, type InvokedFunction } from './function.ts'

export interface EdgeOptions extends FunctionOptions {
  /** Default: every method at /it/{what}. */
  routes?: string[]
  auth?: 'key' | 'link'
  env?: Record<string, string>
  streamsMax?: number
  bodyIdleMs?: number
}

export interface Edge extends AsyncDisposable {
  url: string
  it: InvokedFunction
  /** What no function's code could turn into a problem. */
  errors: unknown[]
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** All that is answered to bytes that need not be HTTP, until the connection ends. */
  say(text: string): Promise<string>
}

const ROUTES = ['GET', 'POST', 'DELETE'].map((method) => `${method} /it/{what}`)

export async function startEdge(app: App, options: EdgeOptions = {}): Promise<Edge> {
  const { routes = ROUTES, auth = 'key', env = {}, streamsMax = 10, bodyIdleMs } = options
  const config = readConfig(env)
  const it = await inlineFunction(app, options)
  Object.assign(it.fn.config.trigger, { routes, auth })
  const keys = config.SIGNING_KEYS ?? []
  const errors: unknown[] = []
  const handler = createHttpHandler({
    functions: [it.fn],
    invoke: it.invoke,
    access: createAccess(config.API_KEY ?? [], hmacLinks({ keys, ttlMs: config.LINK_TTL, publicUrl: undefined })),
    cors: createCors(config),
    rateLimit: config.RATE_LIMIT ? memoryRateLimit(config.RATE_LIMIT) : null,
    streams: createStreams(streamsMax),
    system: createSystemRoutes({
      ready: async () => ({ ready: false, body: { status: 'unavailable', functions: 1, broken: [] } }),
      registry: it.metrics.registry,
      document: async () => ({}),
    }),
    publicUrl: config.PUBLIC_URL,
    onError: (error) => void errors.push(error),
  })
  const server = await listen(nodeServer(handler, { publicUrl: config.PUBLIC_URL, bodyIdleMs }), 0, '127.0.0.1')
  return {
    url: server.url,
    it,
    errors,
    fetch: async (path, init) => await fetch(server.url + path, { redirect: 'manual', ...init }),
    say: async (text) => {
      const socket = connect(server.port, '127.0.0.1')
      socket.write(text)
      return (await socket.setEncoding('latin1').toArray()).join('')
    },
    async [Symbol.asyncDispose]() {
      const closed = server.close()
      server.force()
      await closed
      await it[Symbol.asyncDispose]()
    },
  }
}
