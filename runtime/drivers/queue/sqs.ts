/**
 * Amazon SQS, standard queues. A message is a structured-mode CloudEvent, the same on `<queue>-dead`, so that what is
 * moved back from there is taken as it was. SQS adds a message again though one of its id waits: that is harmless here,
 * since whatever is delivered twice is done once.
 */
import {
  ChangeMessageVisibilityCommand,
  GetQueueAttributesCommand,
  type Message as Received,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { messageOfText, structured } from '#shared/cloud-event.ts'
import { type DeadLetter, deadQueueOf, type QueueDriver, type QueueStats, UNREADABLE } from '#shared/consumer.ts'
import { unavailable } from '#shared/errors.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { deliveredQueue } from './delivered.ts'

export interface SqsOptions {
  /** Of an account's queues: `https://sqs.eu-central-1.amazonaws.com/123456789012`. */
  url: string
  /** Stands before a queue's name. */
  prefix?: string
  /** Default: the one in the URL, else the SDK's own. */
  region?: string
  /** Default: the SDK's chain (environment, profile, the role of the function). */
  credentials?: { accessKeyId: string; secretAccessKey: string }
  /** From a request to its answer. */
  answerMs?: number
}

export type SqsQueue = QueueDriver & Required<Pick<QueueDriver, 'bury' | 'putOff'>>

const CONNECT_MS = 3 * SECOND_MS
const ANSWER_MS = 10 * SECOND_MS
/** The SDK's own count: the first try and two more. */
const TRIES = 3
/** Messages of one answer. */
const RECEIVED_MAX = 10
/** How long a dead letter that was read is hidden from the next reader, in seconds. */
const READ_HIDDEN_SECONDS = 2

type Attributes = Record<string, { DataType: 'String' | 'Number'; StringValue: string }>

function attributesOf(given: Record<string, string | number | null>): Attributes {
  const named = Object.entries(given).filter((pair): pair is [string, string | number] => pair[1] !== null)
  return Object.fromEntries(
    named.map(([name, value]) => [
      name,
      { DataType: typeof value === 'number' ? 'Number' : 'String', StringValue: String(value) },
    ]),
  )
}

function letterOf({ Body = '', MessageAttributes = {}, MessageId = '' }: Received, queue: string): DeadLetter {
  const text = (name: string): string | undefined => MessageAttributes[name]?.StringValue
  const diedAt = text('diedAt') ?? ''
  const unreadable = { queue, id: MessageId, type: UNREADABLE, subject: MessageId, time: diedAt, data: Body }
  const lastStatus = text('lastStatus')
  return {
    message: messageOfText(Body, queue) ?? unreadable,
    // Of those that SQS itself has put there, having handed them out too often, nothing else is known.
    reason: text('reason') ?? 'received too often',
    attempts: Number(text('attempts') ?? 0),
    lastStatus: lastStatus === undefined ? null : Number(lastStatus),
    diedAt,
  }
}

/** Approximate, all of them; the age of the oldest is a metric of CloudWatch alone. */
function statsOf(counts: Record<string, string>, dead: Record<string, string>): QueueStats {
  return {
    waiting: Number(counts['ApproximateNumberOfMessages']),
    active: Number(counts['ApproximateNumberOfMessagesNotVisible']),
    delayed: Number(counts['ApproximateNumberOfMessagesDelayed']),
    dead: Number(dead['ApproximateNumberOfMessages']),
    oldestMs: NaN,
  }
}

async function reach<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (cause) {
    throw unavailable('queue', cause)
  }
}

function clientOf({ url, region, credentials, answerMs = ANSWER_MS }: SqsOptions): SQSClient {
  const named = region ?? /\bsqs\.([a-z0-9-]+)\./.exec(url)?.[1]
  return new SQSClient({
    endpoint: new URL(url).origin,
    ...(named ? { region: named } : {}),
    ...(credentials ? { credentials } : {}),
    maxAttempts: TRIES,
    requestHandler: { connectionTimeout: CONNECT_MS, requestTimeout: answerMs, throwOnRequestTimeout: true },
  })
}

export function sqsQueue(options: SqsOptions): SqsQueue {
  const { url, prefix = '' } = options
  const client = clientOf(options)
  const urlOf = (queue: string): string => `${url}/${prefix}${queue}`
  const put = async (queue: string, MessageBody: string, MessageAttributes: Attributes): Promise<void> => {
    await reach(client.send(new SendMessageCommand({ QueueUrl: urlOf(queue), MessageBody, MessageAttributes })))
  }
  const countsOf = async (queue: string): Promise<Record<string, string>> => {
    const all = new GetQueueAttributesCommand({ QueueUrl: urlOf(queue), AttributeNames: ['All'] })
    return (await reach(client.send(all))).Attributes ?? {}
  }
  return {
    ...deliveredQueue({
      platform: 'SQS',
      send: async (message) => {
        await put(message.queue, JSON.stringify(structured(message)), attributesOf({ id: message.id }))
      },
      bury: async ({ message, reason, attempts, lastStatus, diedAt }) => {
        const body = message.type === UNREADABLE ? String(message.data) : JSON.stringify(structured(message))
        const why = attributesOf({ id: message.id, reason, attempts, lastStatus, diedAt })
        await put(deadQueueOf(message.queue), body, why)
      },
    }),
    putOff: async (queue, ReceiptHandle, afterMs) => {
      const VisibilityTimeout = Math.ceil(afterMs / SECOND_MS)
      const change = { QueueUrl: urlOf(queue), ReceiptHandle, VisibilityTimeout }
      await reach(client.send(new ChangeMessageVisibilityCommand(change)))
    },
    stats: async (queue) => statsOf(...(await Promise.all([countsOf(queue), countsOf(deadQueueOf(queue))]))),
    // Each is hidden for a moment from who reads next, and stays; one that comes again meanwhile is not told twice.
    deadLetters: async (queue, limit) => {
      const letters = new Map<string, DeadLetter>()
      while (letters.size < limit) {
        const receive = new ReceiveMessageCommand({
          QueueUrl: urlOf(deadQueueOf(queue)),
          MaxNumberOfMessages: Math.min(RECEIVED_MAX, limit - letters.size),
          VisibilityTimeout: READ_HIDDEN_SECONDS,
          MessageAttributeNames: ['All'],
        })
        const { Messages = [] } = await reach(client.send(receive))
        const known = letters.size
        for (const message of Messages) letters.set(message.MessageId ?? '', letterOf(message, queue))
        if (letters.size === known) break
      }
      return [...letters.values()]
    },
    close: async () => client.destroy(),
  }
}
