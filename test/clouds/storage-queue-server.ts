/**
 * Azure Storage queues over their REST API (version 2021 and later), as far as a client sends and a host takes: messages
 * are invisible until their time, and once taken until they are deleted or their lease is over.
 */
import { createHmac, randomUUID } from 'node:crypto'
import { type Answer, type Asked, type LoopbackServer, loopbackServer } from './http-server.ts'

const ACCOUNT = 'devstoreaccount1'
/** As the emulators have it: it is no secret. */
const KEY = Buffer.from('a key of nobody, which every test may know').toString('base64')

export interface StoredMessage {
  id: string
  /** As it was sent: base64. */
  text: string
  /** Unix ms. */
  visibleAt: number
  /** Seconds; -1 never. */
  timeToLive: number
  dequeueCount: number
}

export interface StorageQueueServer extends LoopbackServer {
  connection: string
  queues: Map<string, StoredMessage[]>
  /** Takes the next visible message for so long; null when there is none. */
  take(queue: string, leaseMs: number): StoredMessage | null
  remove(queue: string, id: string): void
  /** Called before anything else; an answer stands in its place. */
  refuse: (asked: Asked) => Answer | null
}

/** SharedKey of the queue service (learn.microsoft.com, "Authorize with Shared Key"). */
function isSigned({ method, path, headers }: Asked): boolean {
  const url = new URL(path, 'http://localhost')
  const length = headers['content-length'] === '0' ? '' : (headers['content-length'] ?? '')
  const names = ['content-encoding', 'content-language', '', 'content-md5', 'content-type', '', 'if-modified-since']
  const standard = [...names, 'if-match', 'if-none-match', 'if-unmodified-since', 'range'].map((name, index) =>
    index === 2 ? length : (headers[name] ?? ''),
  )
  const own = Object.keys(headers).filter((name) => name.startsWith('x-ms-'))
  const lines = own.sort().map((name) => `${name}:${String(headers[name])}\n`)
  const query = [...url.searchParams].map(([name, value]) => `\n${name.toLowerCase()}:${value}`)
  const text = `${[method, ...standard].join('\n')}\n${lines.join('')}/${ACCOUNT}${url.pathname}${query.sort().join('')}`
  const signature = createHmac('sha256', Buffer.from(KEY, 'base64')).update(text).digest('base64')
  return headers.authorization === `SharedKey ${ACCOUNT}:${signature}`
}

function fault(status: number, code: string): Answer {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`
  return { status, headers: { 'x-ms-error-code': code, 'content-type': 'application/xml' }, body }
}

function taken({ id, visibleAt }: StoredMessage): string {
  const at = (ms: number): string => new Date(ms).toUTCString()
  return `<?xml version="1.0" encoding="utf-8"?><QueueMessagesList><QueueMessage><MessageId>${id}</MessageId>
    <InsertionTime>${at(Date.now())}</InsertionTime><ExpirationTime>${at(Date.now() + 1e12)}</ExpirationTime>
    <PopReceipt>receipt</PopReceipt><TimeNextVisible>${at(visibleAt)}</TimeNextVisible></QueueMessage></QueueMessagesList>`
}

export async function storageQueueServer(onMessage: (queue: string) => void = () => {}): Promise<StorageQueueServer> {
  const queues: StorageQueueServer['queues'] = new Map()
  const answer = (asked: Asked): Answer => {
    const refusal = storage.refuse(asked)
    if (refusal) return refusal
    if (!isSigned(asked)) return fault(403, 'AuthenticationFailed')
    const url = new URL(asked.path, 'http://localhost')
    const [, queue, messages] =
      /^\/devstoreaccount1\/([a-z0-9][a-z0-9-]{1,61}[a-z0-9])(\/messages)?$/.exec(url.pathname) ?? []
    if (queue === undefined) return fault(400, 'InvalidResourceName')
    if (asked.method === 'PUT' && !messages) {
      const isNew = !queues.has(queue)
      if (isNew) queues.set(queue, [])
      return { status: isNew ? 201 : 204 }
    }
    const stored = queues.get(queue)
    if (!stored) return fault(404, 'QueueNotFound')
    if (asked.method !== 'POST') return fault(405, 'UnsupportedHttpVerb')
    const [, text] = /<MessageText>([^<]*)<\/MessageText>/.exec(asked.body.toString()) ?? []
    if (text === undefined || text.length > 64 * 1024) return fault(400, 'InvalidInput')
    const seconds = Number(url.searchParams.get('visibilitytimeout') ?? 0)
    const timeToLive = Number(url.searchParams.get('messagettl') ?? 7 * 24 * 3_600)
    const message = { id: randomUUID(), text, visibleAt: Date.now() + seconds * 1_000, timeToLive, dequeueCount: 0 }
    stored.push(message)
    onMessage(queue)
    return { status: 201, headers: { 'content-type': 'application/xml' }, body: taken(message) }
  }
  const server = await loopbackServer(answer)
  const storage: StorageQueueServer = {
    ...server,
    connection: `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};QueueEndpoint=${server.url}/${ACCOUNT};`,
    queues,
    take(queue, leaseMs) {
      const now = Date.now()
      const message = queues.get(queue)?.find(({ visibleAt }) => visibleAt <= now)
      if (!message) return null
      message.visibleAt = now + leaseMs
      message.dequeueCount++
      return message
    },
    remove(queue, id) {
      queues.set(
        queue,
        queues.get(queue)!.filter((message) => message.id !== id),
      )
    },
    refuse: () => null,
  }
  return storage
}

export function eventOf({ text }: StoredMessage): Record<string, unknown> {
  return JSON.parse(Buffer.from(text, 'base64').toString()) as Record<string, unknown>
}
