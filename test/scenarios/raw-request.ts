/** Requests that fetch does not make: a Host of one's own, a body that comes in pieces or stops. */
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'

export interface Slow {
  /** More of the body. */
  write(bytes: Uint8Array): void
  end(): void
  /** Goes away, as a phone in a tunnel does. */
  drop(): void
  /** Status and JSON body. */
  answer: Promise<{ status: number; headers: IncomingMessage['headers']; body: Record<string, unknown> }>
}

async function answerOf(sent: ClientRequest): Promise<Awaited<Slow['answer']>> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const text = (await response.setEncoding('utf8').toArray()).join('')
  const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {}
  return { status: response.statusCode ?? 0, headers: response.headers, body }
}

/** Resolves once the server has the headers and has begun with the request (`100 Continue`), its body still to come. */
export async function beginUpload(url: string, headers: Record<string, string>): Promise<Slow> {
  const sent = request(`${url}/tasks`, {
    agent: false,
    method: 'POST',
    headers: { expect: '100-continue', ...headers },
  })
  const answer = answerOf(sent)
  answer.catch(() => undefined)
  sent.flushHeaders()
  await once(sent, 'continue')
  return { write: (bytes) => void sent.write(bytes), end: () => sent.end(), drop: () => sent.destroy(), answer }
}

/** On a connection of its own, so that nothing that became of an earlier one is in its way. */
export async function ask(
  url: string,
  headers: Record<string, string>,
  method = 'GET',
  body?: Uint8Array,
): Promise<Awaited<Slow['answer']>> {
  const sent = request(url, { agent: false, method, headers })
  sent.end(body)
  return await answerOf(sent)
}

/** What a server says to bytes that need not be HTTP, until it closes the connection. */
export async function say(url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), new URL(url).hostname)
  socket.write(text)
  return (await socket.setEncoding('latin1').toArray()).join('')
}
