/** Queues in the SQLite file that holds the tasks, so that a task and its message are one write. */
import { randomUUID } from 'node:crypto'
import type { QueueDriver } from '#shared/consumer.ts'
import type { Message } from '#shared/message.ts'
import { attempt } from '../sqlite/errors.ts'
import type { SqliteFile } from '../sqlite/file.ts'
import { POLL_MS, watchWrites } from '../sqlite/watch.ts'
import { leaseConsumer, type WakingConsumer } from './sqlite-consumer.ts'
import { sqliteLeases, sqliteMailbox } from './sqlite-leases.ts'

const WHAT = 'queue'
/** How long a message stays with a process that has died. */
export const LEASE_MS = 15_000

export interface SqliteQueueOptions {
  file: SqliteFile
  leaseMs?: number
  /** How often to ask whether another process has sent something; messages of this one wake at once. */
  pollMs?: number
  /** Told of what went wrong between deliveries; each is tried again. */
  onError?: (error: unknown) => void
}

export interface SqliteQueue extends QueueDriver {
  /** Adds a message within an open transaction of `file.durable`. */
  enqueue(message: Message): void
}

export function sqliteQueue(options: SqliteQueueOptions): SqliteQueue {
  const { file, leaseMs = LEASE_MS, pollMs = POLL_MS, onError = () => {} } = options
  const mailbox = sqliteMailbox(file)
  const leases = sqliteLeases(file)
  const consumers = new Map<WakingConsumer, string>()
  // Random for each process: a label such as WORKER_ID may be shared by replicas.
  const owner = randomUUID()
  let deliveries = 0
  let stopPolling: (() => void) | null = null

  function wake(queue?: string): void {
    for (const [consumer, consumed] of consumers) if (queue === undefined || queue === consumed) consumer.wake()
  }

  function enqueue(message: Message): void {
    if (mailbox.insert(message)) wake(message.queue)
  }

  return {
    enqueue,
    send: (message) => attempt(WHAT, () => file.commit(() => enqueue(message))),
    remove: (queue, id) => attempt(WHAT, () => mailbox.remove(queue, id)),
    consume: (queue, options, handle) => {
      const newToken = (): string => `${owner}.${++deliveries}`
      const consumer = leaseConsumer({ queue, leases, newToken, leaseMs, options, handle, onError })
      consumers.set(consumer, queue)
      stopPolling ??= watchWrites(file.relaxed, pollMs, () => wake())
      return {
        pause: () => consumer.pause(),
        idle: () => consumer.idle(),
        close: async () => {
          consumers.delete(consumer)
          await consumer.close()
        },
      }
    },
    stats: (queue) => attempt(WHAT, () => mailbox.stats(queue)),
    deadLetters: (queue, limit) => attempt(WHAT, () => mailbox.deadLetters(queue, limit)),
    close: async () => {
      stopPolling?.()
      stopPolling = null
      const open = [...consumers.keys()]
      consumers.clear()
      await Promise.all(open.map((consumer) => consumer.close()))
    },
  }
}
