/** A batch of SQS messages, each judged alone: what failed is named, and only that comes again. */
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import { messageOfText } from '#shared/cloud-event.ts'
import type { Decision } from '#shared/decision.ts'
import type { LoadedFunction } from '../../loader.ts'
import { PLATFORM_MARGIN_MS } from '../cloud/limits.ts'
import type { CloudFunction } from '../cloud/open.ts'

function queueOf({ functions, config }: CloudFunction, arn: string): string {
  const name = arn.slice(arn.lastIndexOf(':') + 1)
  const queues = functions.flatMap(({ config: { trigger } }) => (trigger.type === 'queue' ? [trigger.queue] : []))
  const found = queues.find((queue) => name === config.QUEUE_PREFIX + queue)
  if (found === undefined) throw new Error(`No function of this bundle takes messages of ${name}.`)
  return found
}

/** Its time is over, or it is alone by the rule of its function: it comes again at once, and nothing failed. */
const HANDED_BACK: Decision = { kind: 'retry', reason: 'handed back', afterMs: 0, counted: false }

async function judge(cloud: CloudFunction, queue: string, record: SQSRecord, context: Context): Promise<Decision> {
  const { body, messageId, attributes } = record
  const message = messageOfText(body, queue)
  if (message === null) return await cloud.refuse(queue, messageId, body)
  const received = Number(attributes.ApproximateReceiveCount)
  return await cloud.deliver(message, { received, remainingMs: context.getRemainingTimeInMillis() })
}

/** Null where it failed here, and not in its function: no other of its batch may come again for that. */
async function decide(cloud: CloudFunction, queue: string, record: SQSRecord, context: Context) {
  try {
    return await judge(cloud, queue, record, context)
  } catch (err) {
    cloud.logger.error({ err, queue, message: record.messageId }, 'message not judged')
    return null
  }
}

/** Has it come again when it should, where that is another time than its queue's own. */
async function putOff(cloud: CloudFunction, queue: string, { receiptHandle, messageId }: SQSRecord, afterMs: number) {
  try {
    await cloud.queue.putOff?.(queue, receiptHandle, afterMs)
  } catch (err) {
    // Then it comes when its queue's visibility timeout is over.
    cloud.logger.warn({ err, queue, message: messageId }, 'message not put off')
  }
}

/** At most so many at once, in order; an isolated function has one message to itself in each invocation. */
function slotsOf(
  { config: { trigger, isolation } }: LoadedFunction,
  records: number,
): { slots: number; taken: number } {
  if (isolation === 'process') return { slots: 1, taken: 1 }
  return { slots: trigger.type === 'queue' ? trigger.concurrency : 1, taken: records }
}

export async function takeBatch(cloud: CloudFunction, event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  const batchItemFailures: SQSBatchResponse['batchItemFailures'] = []
  const queue = queueOf(cloud, event.Records[0]!.eventSourceARN)
  const fn = cloud.functionOf(queue)
  const { slots, taken } = slotsOf(fn, event.Records.length)
  if (taken < event.Records.length) {
    cloud.logger.error({ function: fn.name, records: event.Records.length }, 'an isolated function needs BatchSize 1')
  }
  const take = async (record: SQSRecord, at: number): Promise<void> => {
    // Who had to wait for a slot may have too little time left: begun and cut off it would have failed.
    const isLate = at >= slots && context.getRemainingTimeInMillis() - PLATFORM_MARGIN_MS < fn.config.timeoutMs
    const decision = at >= taken || isLate ? HANDED_BACK : await decide(cloud, queue, record, context)
    if (decision?.kind === 'ack' || (decision?.kind === 'dead' && decision.buried)) return
    batchItemFailures.push({ itemIdentifier: record.messageId })
    if (decision?.kind === 'retry') await putOff(cloud, queue, record, decision.afterMs)
  }
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < event.Records.length; at = next++) await take(event.Records[at]!, at)
  }
  await Promise.all(Array.from({ length: slots }, work))
  return { batchItemFailures }
}
