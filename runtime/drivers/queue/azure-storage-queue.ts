/**
 * Azure Storage queues. A message is a structured-mode CloudEvent, base64 as the queue trigger of Azure Functions reads
 * it. One that is to come later is added again, invisible until then: its failures are counted in it, so that backoff,
 * Retry-After and what does not count are as everywhere, where the trigger knows but one delay for all.
 */
import { QueueServiceClient, RestError } from '@azure/storage-queue'
import { structured } from '#shared/cloud-event.ts'
import type { DeadLetter } from '#shared/consumer.ts'
import { unavailable } from '#shared/errors.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { type DeliveredQueue, deliveredQueue } from './delivered.ts'

/** Never: the default is seven days, after which a message would be gone unheard. */
const TIME_TO_LIVE = -1
/** The storage service keeps a message invisible for less than seven days, in seconds. */
const INVISIBLE_MAX = 7 * 24 * 60 * 60 - 1

export interface StorageQueueOptions {
  /** A connection string, as AzureWebJobsStorage has it. */
  connection: string
  /** Stands before a queue's name in the storage queue's name. */
  prefix?: string
}

/** Where the queue trigger puts what failed too often, too. */
export function poisonQueueOf(queue: string): string {
  return `${queue}-poison`
}

function whyDead({ reason, attempts, lastStatus, diedAt }: DeadLetter): Record<string, unknown> {
  return { deadreason: reason, deadattempts: attempts, deadstatus: lastStatus, deadtime: diedAt }
}

export function azureStorageQueue({
  connection,
  prefix = '',
}: StorageQueueOptions): DeliveredQueue & Required<Pick<DeliveredQueue, 'later'>> {
  const retryOptions = { maxTries: 2, tryTimeoutInMs: 10 * SECOND_MS, retryDelayInMs: 100 }
  const service = QueueServiceClient.fromConnectionString(connection, { retryOptions })

  async function put(queue: string, event: Record<string, unknown>, afterMs = 0): Promise<void> {
    const client = service.getQueueClient(`${prefix}${queue}`)
    const text = Buffer.from(JSON.stringify(event)).toString('base64')
    const visibilityTimeout = Math.min(Math.ceil(afterMs / SECOND_MS), INVISIBLE_MAX)
    const send = async (): Promise<unknown> =>
      await client.sendMessage(text, { messageTimeToLive: TIME_TO_LIVE, visibilityTimeout })
    try {
      await send().catch(async (error: unknown) => {
        if (!(error instanceof RestError && error.code === 'QueueNotFound')) throw error
        await client.createIfNotExists()
        await send()
      })
    } catch (cause) {
      throw unavailable('queue', cause)
    }
  }

  const queue = deliveredQueue({
    platform: 'Azure Storage',
    send: (message) => put(message.queue, structured(message)),
    bury: (letter) => put(poisonQueueOf(letter.message.queue), { ...structured(letter.message), ...whyDead(letter) }),
  })
  return {
    ...queue,
    later: ({ message, attempt }, afterMs) => put(message.queue, { ...structured(message), attempt }, afterMs),
  }
}
