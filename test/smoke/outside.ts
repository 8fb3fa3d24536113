/** A client outside of the stack: over https to Traefik, by the names that a browser would use. */
import { createHash } from 'node:crypto'
import { connect } from 'node:http2'
import type { LookupFunction } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Agent, fetch, FormData, type RequestInit, type Response } from 'undici'
import type { TaskRepresentation } from '#shared/representation.ts'
import type { Stack } from './stack.ts'

const CONNECTIONS = 20
/** The longest that the API holds an answer; then asked again. */
const WAIT_SECONDS = 25
const TRIES_MAX = 20

export interface Outside extends AsyncDisposable {
  /** Path, or URL as a Task's links have it; `host` is a subdomain of localhost. */
  get(path: string, init?: RequestInit & { host?: string }): Promise<Response>
  /** The same, and again when the answer is 503. */
  patiently(path: string, init?: RequestInit & { host?: string }): Promise<Response>
  /** Answers of 503 so far after which it came again. */
  refused(): number
  upload(image: Uint8Array, headers?: Record<string, string>): Promise<TaskRepresentation>
  /** Asks until the task is terminal; rejects when that takes longer than `ms`. */
  ended(id: string, ms: number): Promise<TaskRepresentation>
  /** One request over HTTP/2: what TLS agreed on, and the status. */
  overHttp2(path: string): Promise<[protocol: string | false | null, status: number | undefined]>
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export async function openOutside(stack: Stack): Promise<Outside> {
  const port = await stack.port('traefik', 443)
  // Traefik's own certificate is nobody's; every name is this machine.
  const lookup: LookupFunction = (_name, { all }, done) => {
    if (all) done(null, [{ address: '127.0.0.1', family: 4 }])
    else done(null, '127.0.0.1', 4)
  }
  const dispatcher = new Agent({
    connect: { rejectUnauthorized: false, lookup },
    connections: CONNECTIONS,
    allowH2: false,
  })
  const key = { 'x-api-key': stack.secrets.API_KEY!.split(',')[0]! }

  const get: Outside['get'] = async (path, { host = 'localhost', headers = key, ...init } = {}) => {
    const { pathname, search } = new URL(path, 'https://localhost')
    const url = `https://${host}:${port}${pathname}${search}`
    return await fetch(url, { ...init, headers, dispatcher, redirect: 'manual' })
  }
  let refused = 0
  /** 503 says when to come again, and that nothing was kept: a client does as it is told. */
  const patiently: Outside['get'] = async (path, init) => {
    for (let tries = 1; ; tries++) {
      const response = await get(path, init)
      if (response.status !== 503 || tries === TRIES_MAX) return response
      refused++
      await response.arrayBuffer()
      await new Promise((resolve) => setTimeout(resolve, Number(response.headers.get('retry-after') ?? 1) * 1_000))
    }
  }
  const taskOf = async (response: Response): Promise<TaskRepresentation> => {
    if (!response.ok) throw new Error(`expected a task, got ${response.status} ${await response.text()}`)
    return (await response.json()) as TaskRepresentation
  }
  return {
    get,
    patiently,
    refused: () => refused,
    async upload(image, headers = {}) {
      const body = new FormData()
      body.append('image', new Blob([new Uint8Array(image)]), 'picture.jpg')
      return await taskOf(await patiently('/tasks', { method: 'POST', body, headers: { ...key, ...headers } }))
    },
    async ended(id, ms) {
      const until = performance.now() + ms
      for (;;) {
        const task = await taskOf(
          await patiently(`/tasks/${id}`, { headers: { ...key, prefer: `wait=${WAIT_SECONDS}` } }),
        )
        if (task.status === 'completed' || task.status === 'failed') return task
        if (performance.now() > until) throw new Error(`${id} is still ${task.status} after ${ms / 1_000} s`)
      }
    },
    async overHttp2(path) {
      const session = connect(`https://localhost:${port}`, { rejectUnauthorized: false, lookup })
      const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
      session.once('error', reject)
      const stream = session.request({ ':path': path }).once('error', reject)
      stream.once('response', ({ ':status': status }) => resolve(status)).resume()
      const status = await promise.finally(() => session.close())
      return [(session.socket as TLSSocket).alpnProtocol, status]
    },
    [Symbol.asyncDispose]: async () => await dispatcher.close(),
  }
}
