/** A receiver of OTLP/HTTP in JSON on loopback (opentelemetry.io/docs/specs/otlp/#otlphttp). */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { until } from '../runtime/until.ts'

interface Value {
  stringValue?: string
  intValue?: number
  boolValue?: boolean
}
interface Pair {
  key: string
  value: Value
}
interface WireSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: Pair[]
  events: { name: string; attributes: Pair[] }[]
  status: { code: number }
}
interface Body {
  resourceSpans: { resource: { attributes: Pair[] }; scopeSpans: { spans: WireSpan[] }[] }[]
}

type Attributes = Record<string, string | number | boolean | undefined>

export interface ReceivedSpan extends Omit<WireSpan, 'attributes' | 'events'> {
  attributes: Attributes
  events: { name: string; attributes: Attributes }[]
  resource: Attributes
}

export interface OtlpReceiver extends AsyncDisposable {
  url: string
  spans: ReceivedSpan[]
  /** How many spans each request had. */
  batches: number[]
  span(what: string, condition: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan>
  /** Answered to the next requests; spans of those that are no 200 do not count. Default 200. */
  status: number
}

function attributesOf(pairs: readonly Pair[]): Attributes {
  const valueOf = ({ stringValue, intValue, boolValue }: Value) => stringValue ?? intValue ?? boolValue
  return Object.fromEntries(pairs.map(({ key, value }) => [key, valueOf(value)]))
}

function spansOf({ resourceSpans }: Body): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => {
        const events = span.events.map((event) => ({ ...event, attributes: attributesOf(event.attributes) }))
        const attributes = attributesOf(span.attributes)
        return { ...span, attributes, events, resource: attributesOf(resource.attributes) }
      }),
    ),
  )
}

export async function otlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const batches: number[] = []
  const receive = (body: Body): void => {
    const received = spansOf(body)
    batches.push(received.length)
    if (receiver.status === 200) spans.push(...received)
  }
  const statusOf = async (request: IncomingMessage): Promise<number> => {
    if (request.method !== 'POST' || request.url !== '/v1/traces') return 404
    receive((await json(request)) as Body)
    return receiver.status
  }
  const server = createServer((request, response) => {
    const status = statusOf(request).catch(() => 400)
    void status.then((code) => response.writeHead(code, { 'Content-Type': 'application/json' }).end('{}'))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const receiver: OtlpReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    batches,
    span: async (what, condition) => await until(`span: ${what}`, () => spans.find(condition), 20_000),
    status: 200,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
  return receiver
}
