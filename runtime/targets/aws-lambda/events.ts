/** What Lambda was woken by. */
import type { APIGatewayProxyEventV2, ScheduledEvent, SQSEvent } from 'aws-lambda'

export type Woken =
  | { kind: 'http'; event: APIGatewayProxyEventV2 }
  | { kind: 'queue'; event: SQSEvent }
  | { kind: 'timer'; event: ScheduledEvent }

const SCHEDULERS: ReadonlySet<unknown> = new Set(['aws.events', 'aws.scheduler'])

function hasOnlyMessages(records: unknown): boolean {
  const isMessage = (record: { eventSource?: unknown } | null): boolean => record?.eventSource === 'aws:sqs'
  return Array.isArray(records) && records.length > 0 && records.every(isMessage)
}

/** Throws for whatever is none of the three: an empty success would lose it. */
export function wokenBy(event: unknown): Woken {
  const given = (typeof event === 'object' && event !== null ? event : {}) as Record<string, unknown>
  const { http } = (given['requestContext'] ?? {}) as { http?: unknown }
  if (given['version'] === '2.0' && http) return { kind: 'http', event: event as APIGatewayProxyEventV2 }
  if (hasOnlyMessages(given['Records'])) return { kind: 'queue', event: event as SQSEvent }
  const isScheduled = given['detail-type'] === 'Scheduled Event' && SCHEDULERS.has(given['source'])
  if (isScheduled) return { kind: 'timer', event: event as ScheduledEvent }
  const got = Object.keys(given).slice(0, 10).join(', ') || JSON.stringify(event)?.slice(0, 100)
  throw new TypeError(
    'Expected an HTTP event of payload format 2.0, messages of SQS or a scheduled event of EventBridge; ' +
      `got ${got ?? 'nothing'}.`,
  )
}
