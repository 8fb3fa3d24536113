/** A server on loopback that takes pushes as Loki does, good lines also out of a push that it answers with 400. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { until } from '../runtime/until.ts'

export interface Taken {
  labels: Record<string, string>
  ns: string
  line: string
}

export interface LokiAnswer {
  status: number
  headers?: Record<string, string>
  /** Of a 400: the lines that it does not take. Of others that are no 2xx it takes none. */
  refuses?: (line: string) => boolean
}

interface Push {
  /** performance.now() when it came. */
  at: number
  lines: string[]
  authorization: string | undefined
}

export interface TestLoki extends AsyncDisposable {
  url: string
  port: number
  /** Pushes so far, whatever became of them. */
  pushes: Push[]
  /** As they came, those that came twice too. */
  taken: Taken[]
  /** Taken lines, each once: Loki keeps an entry of the same stream, time and text once. */
  lines(): string[]
  /** Resolves when so many different lines are there. */
  has(count: number): Promise<string[]>
  /** Decides over the next pushes; default: 204. */
  answer: (lines: readonly string[]) => LokiAnswer | Promise<LokiAnswer>
}

interface Body {
  streams: { stream: Record<string, string>; values: [string, string][] }[]
}

async function read(request: IncomingMessage): Promise<Taken[]> {
  if (request.method !== 'POST' || request.url !== '/loki/api/v1/push')
    throw new Error(`${request.method} ${request.url}`)
  if (request.headers['content-type'] !== 'application/json') throw new Error('no JSON')
  const { streams } = JSON.parse(await text(request)) as Body
  return streams.flatMap(({ stream, values }) => values.map(([ns, line]) => ({ labels: stream, ns, line })))
}

export async function testLoki(port = 0): Promise<TestLoki> {
  const pushes: Push[] = []
  const taken: Taken[] = []
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const entries = await read(request)
    const lines = entries.map(({ line }) => line)
    pushes.push({ at: performance.now(), lines, authorization: request.headers.authorization })
    const { status, headers = {}, refuses } = await loki.answer(lines)
    const good = status < 300 ? entries : entries.filter(({ line }) => refuses && !refuses(line))
    taken.push(...good)
    response.writeHead(status, headers).end(status < 300 ? '' : 'what Loki says')
  }
  const server = createServer((request, response) => {
    take(request, response).catch((error: unknown) => response.writeHead(404).end(String(error)))
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  const own = (server.address() as AddressInfo).port
  const lines = (): string[] => {
    const different = new Map(taken.map(({ labels, ns, line }) => [JSON.stringify([labels, ns, line]), line]))
    return [...different.values()]
  }
  const loki: TestLoki = {
    url: `http://127.0.0.1:${own}`,
    port: own,
    pushes,
    taken,
    lines,
    has: async (count) =>
      await until(`${count} lines in Loki`, () => (lines().length >= count ? lines() : null), 60_000),
    answer: () => ({ status: 204 }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      if (server.listening) await once(server.close(), 'close')
    },
  }
  return loki
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  await using loki = await testLoki()
  return loki.port
}
