/** BullMQ's queues on one connection, and the dead letters that lie on one of them. */
import type { JobsOptions, Queue as BullQueue } from 'bullmq'
import { DEAD_LETTERS_KEPT, type DeadLetter, deadQueueOf } from '#shared/consumer.ts'
import type { RedisClient } from '../redis/connections.ts'

/** How many too many of them go at once. */
const DEAD_LETTERS_DROPPED = 100

/**
 * A job that is over must go: its id, once kept, would be taken for a duplicate for ever. How often it is tried stands
 * in no job, since who sends does not know it: the consumer says it with each verdict.
 */
export const JOB_OPTIONS: JobsOptions = {
  removeOnComplete: true,
  removeOnFail: true,
  backoff: { type: 'custom' },
  stackTraceLimit: 0,
}

export interface BullQueues {
  of(name: string): Promise<BullQueue>
  close(): Promise<void>
}

export function bullQueues(connect: () => Promise<RedisClient>, prefix: string): BullQueues {
  const queues = new Map<string, BullQueue>()
  return {
    async of(name) {
      // Late: a process that answers its first request need not have read it.
      const [{ Queue }, connection] = await Promise.all([import('bullmq'), connect()])
      const known = queues.get(name)
      if (known) return known
      // Asked for its version it would wait for a Redis that is away, and a refusal then would be the answer for ever.
      const queue = new Queue(name, { connection, prefix, skipWaitingForReady: true, skipVersionCheck: true })
      // Each failure is its caller's; the connection tells of its own.
      queue.on('error', () => undefined)
      queues.set(name, queue)
      return queue
    },
    async close() {
      await Promise.all([...queues.values()].map((queue) => queue.close()))
    },
  }
}

function deadOf(queues: BullQueues, queue: string): Promise<BullQueue> {
  return queues.of(deadQueueOf(queue))
}

export async function addDeadLetter(queues: BullQueues, letter: DeadLetter): Promise<void> {
  const dead = await deadOf(queues, letter.message.queue)
  await dead.add(letter.message.type, letter)
  const last = DEAD_LETTERS_KEPT + DEAD_LETTERS_DROPPED - 1
  for (const old of await dead.getJobs(['wait'], DEAD_LETTERS_KEPT, last, false)) await dead.remove(old.id!)
}

/** The newest first. */
export async function readDeadLetters(queues: BullQueues, queue: string, limit: number): Promise<DeadLetter[]> {
  if (limit < 1) return []
  const jobs = await (await deadOf(queues, queue)).getJobs(['wait'], 0, limit - 1, false)
  return jobs.map(({ data }) => data as DeadLetter)
}

export async function countDeadLetters(queues: BullQueues, queue: string): Promise<number> {
  return await (await deadOf(queues, queue)).getJobCountByTypes('wait')
}
