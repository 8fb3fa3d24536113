/** Topics of Pub/Sub over its REST API, as far as they are published to: no emulator speaks that without Google's SDK. */
import { randomUUID } from 'node:crypto'
import { type Answer, type Asked, type LoopbackServer, loopbackServer } from './http-server.ts'

export interface PubsubMessage {
  data: string
  attributes: Record<string, string>
  messageId: string
  publishTime: string
}

export interface PubsubServer extends LoopbackServer {
  /** Of each publish that was taken. */
  published: { topic: string; message: PubsubMessage; authorization: string | undefined }[]
  /** Called before a publish is taken; an answer stands in its place. */
  refuse: (asked: Asked) => Answer | null
}

/** What the service asks of attributes (cloud.google.com/pubsub/quotas). */
const KEY_BYTES_MAX = 256
const VALUE_BYTES_MAX = 1_024

function faultIn(attributes: Record<string, string>): string | null {
  for (const [key, value] of Object.entries(attributes)) {
    if (key === '' || key.startsWith('goog') || Buffer.byteLength(key) > KEY_BYTES_MAX) return `the key ${key}`
    if (typeof value !== 'string' || Buffer.byteLength(value) > VALUE_BYTES_MAX) return `the value of ${key}`
  }
  return null
}

/** `deliver` is told of each message once it is taken. */
export async function pubsubServer(
  deliver: (topic: string, message: PubsubMessage) => void = () => {},
): Promise<PubsubServer> {
  const published: PubsubServer['published'] = []
  const server = await loopbackServer((asked) => {
    const refusal = pubsub.refuse(asked)
    if (refusal) return refusal
    const [, topic] =
      /^\/v1\/projects\/[a-z][a-z0-9-]+\/topics\/([A-Za-z][\w.~+%-]{2,254}):publish$/.exec(asked.path) ?? []
    if (asked.method !== 'POST' || topic === undefined) return { status: 404, body: `no topic at ${asked.path}` }
    const { messages } = JSON.parse(asked.body.toString()) as { messages: PubsubMessage[] }
    const taken = messages.map(({ data, attributes }) => {
      const fault = faultIn(attributes)
      if (fault) throw new Error(fault)
      return { data, attributes, messageId: randomUUID(), publishTime: new Date().toISOString() }
    })
    for (const message of taken) {
      published.push({ topic, message, authorization: asked.headers.authorization })
      deliver(topic, message)
    }
    return { status: 200, body: JSON.stringify({ messageIds: taken.map(({ messageId }) => messageId) }) }
  })
  const pubsub: PubsubServer = { ...server, published, refuse: () => null }
  return pubsub
}
