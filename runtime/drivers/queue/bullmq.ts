/** Queues in Redis, as BullMQ keeps them: its tools can look into them. */
import type { Consumer, QueueDriver, QueueStats } from '#shared/consumer.ts'
import type { RedisConnections } from '../redis/connections.ts'
import { attempt } from '../redis/errors.ts'
import { bullmqConsumer } from './bullmq-consumer.ts'
import { bullQueues, countDeadLetters, JOB_OPTIONS, readDeadLetters } from './bullmq-jobs.ts'

const WHAT = 'queue'
/** How long a message stays with a process that has died. */
const LEASE_MS = 15_000
/** BullMQ's own, so that its tools find the queues. */
const PREFIX = 'bull'

export interface BullmqQueueOptions {
  redis: RedisConnections
  /** Of all keys. */
  prefix?: string | undefined
  leaseMs?: number | undefined
  /** How long consumers wait before they begin: what they read first would keep others from being answered. */
  beginMs?: number | undefined
  /** Told of what went wrong between deliveries; each is tried again. */
  onError?: ((error: unknown) => void) | undefined
}

export function bullmqQueue(given: BullmqQueueOptions): QueueDriver {
  const { redis, prefix = PREFIX, leaseMs = LEASE_MS, beginMs = 0, onError = () => {} } = given
  const queues = bullQueues(() => redis.answering(), prefix)
  const consumers = new Set<Consumer>()

  async function stats(name: string): Promise<QueueStats> {
    const queue = await queues.of(name)
    const [counts, [oldest], dead] = await Promise.all([
      queue.getJobCounts('wait', 'active', 'delayed'),
      // The one that is taken next: but for one that was given back, it has waited longest.
      queue.getJobs(['wait'], 0, 0, true),
      countDeadLetters(queues, name),
    ])
    const { wait: waiting = 0, active = 0, delayed = 0 } = counts
    return { waiting, active, delayed, dead, oldestMs: oldest ? Math.max(0, Date.now() - oldest.timestamp) : 0 }
  }

  return {
    send: (message) =>
      attempt(WHAT, async () => {
        const queue = await queues.of(message.queue)
        await queue.add(message.type, message, { ...JOB_OPTIONS, jobId: message.id })
      }),
    remove: (name, id) =>
      attempt(WHAT, async () => {
        // A job that is locked stays where it is.
        await (await queues.of(name)).remove(id)
      }),
    consume: (queue, options, handle) => {
      const consumer = bullmqConsumer({ queue, redis, prefix, leaseMs, beginMs, options, handle, onError })
      consumers.add(consumer)
      return {
        pause: () => consumer.pause(),
        idle: () => consumer.idle(),
        close: async () => {
          consumers.delete(consumer)
          await consumer.close()
        },
      }
    },
    stats: (queue) => attempt(WHAT, () => stats(queue)),
    deadLetters: (queue, limit) => attempt(WHAT, () => readDeadLetters(queues, queue, limit)),
    close: async () => {
      const open = [...consumers]
      consumers.clear()
      await Promise.all(open.map((consumer) => consumer.close()))
      await queues.close()
    },
  }
}
