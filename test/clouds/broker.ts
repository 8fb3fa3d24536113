/**
 * A broker and its triggers, as Knative Eventing sends: retried are 404, 408, 409, 429 and 5xx, Retry-After is obeyed on
 * 429 and 503 (DeliverySpec.retryAfterMax), and a reply that is neither empty nor an event is a failure. The sender
 * chooses the content mode: every other event comes in structured mode.
 */
import { type CloudEvent, HTTP } from 'cloudevents'
import { type Dispatcher, dispatcher, type Outcome } from './dispatcher.ts'
import { type LoopbackServer, loopbackServer } from './http-server.ts'

type Mode = 'binary' | 'structured'

export interface Trigger {
  /** Of the filter on the extension attribute `queue`. */
  queue: string
  /** Runs it with the address of the process that is to have the event. */
  share: <T>(run: (url: string) => Promise<T>) => Promise<T>
  concurrency: number
  retries: number
}

export interface Broker extends LoopbackServer {
  subscribe(trigger: Trigger): Dispatcher<CloudEvent<unknown>>
  /** Events that no trigger wanted, among them those on `<queue>-dead`. */
  unwanted: CloudEvent<unknown>[]
}

const BACKOFF_MS = 100
const RETRIED: ReadonlySet<number> = new Set([404, 408, 409, 429])

async function send(url: string, event: CloudEvent<unknown>, mode: Mode): Promise<Response> {
  const { headers, body } = mode === 'binary' ? HTTP.binary(event) : HTTP.structured(event)
  return await fetch(url, {
    method: 'POST',
    headers: { ...(headers as Record<string, string>), prefer: 'reply' },
    body: (body ?? '') as string,
    redirect: 'manual',
  })
}

function outcomeOf(status: number, retryAfter: string | null, attempt: number, retries: number): Outcome {
  if (status >= 200 && status < 300) return { kind: 'done' }
  if (!RETRIED.has(status) && status < 500) return { kind: 'given-up' }
  if (attempt > retries) return { kind: 'given-up' }
  const asked = status === 429 || status === 503 ? Number(retryAfter ?? 0) * 1_000 : 0
  return { kind: 'again', afterMs: Math.max(asked, BACKOFF_MS * 2 ** Math.min(attempt, 6)) }
}

export async function startBroker(): Promise<Broker> {
  let sent = 0
  const triggers = new Map<string, Dispatcher<CloudEvent<unknown>>>()
  const unwanted: CloudEvent<unknown>[] = []
  const server = await loopbackServer(({ headers, body }) => {
    const event = HTTP.toEvent({ headers, body: body.toString() }) as CloudEvent<unknown>
    const trigger = triggers.get(String(event['queue']))
    if (trigger) trigger.add(event)
    else unwanted.push(event)
    return { status: 202 }
  })
  return {
    ...server,
    unwanted,
    subscribe({ queue, share, concurrency, retries }) {
      const trigger = dispatcher<CloudEvent<unknown>>({
        concurrency,
        deliver: async (event, attempt) => {
          const [response, reply] = await share(async (url) => {
            const answered = await send(url, event, sent++ % 2 === 0 ? 'binary' : 'structured')
            return [answered, await answered.text()] as const
          })
          // What the broker's filter takes for a delivery that failed.
          const status = response.ok && reply !== '' && !response.headers.has('ce-specversion') ? 502 : response.status
          return outcomeOf(status, response.headers.get('retry-after'), attempt, retries)
        },
      })
      triggers.set(queue, trigger)
      return trigger
    },
  }
}
