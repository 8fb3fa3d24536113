/** BullMQ's worker, asked for one job at a time: what is taken, and when, is the consumer's to say. */
import type { Job, Worker as BullMqWorker } from 'bullmq'
import type { Message } from '#shared/message.ts'
import type { RedisConnections } from '../redis/connections.ts'
import { isOutage } from '../redis/errors.ts'
import { Retry } from './bullmq-verdict.ts'

/**
 * BullMQ marks a job that lost its worker this often as failed, and a worker of its own kind would throw it away. The
 * document's count of deliveries ends a task long before.
 */
const STALLS_MAX = 1_000
/** Minutes for which BullMQ counts what was completed and failed: two weeks. */
const METRIC_POINTS = 20_160

export type BullWorker = BullMqWorker<Message>
export type BullJob = Job<Message>

export interface WorkerContext {
  queue: string
  redis: RedisConnections
  prefix: string
  /** Of a job's lock; a third of it passes between two looks for jobs whose lock is over. */
  leaseMs: number
  onError: (error: unknown) => void
}

/** One that takes nothing by itself. It is not ready yet, and may never be: `close(true)` ends it in either case. */
export async function newWorker({ queue, redis, prefix, leaseMs, onError }: WorkerContext): Promise<BullWorker> {
  const [{ Worker }, connection] = await Promise.all([import('bullmq'), redis.working()])
  const worker: BullWorker = new Worker(queue, null, {
    connection,
    prefix,
    autorun: false,
    lockDuration: leaseMs,
    // Redis takes whole milliseconds, and refuses every look at any other.
    stalledInterval: Math.ceil(leaseMs / 3),
    maxStalledCount: STALLS_MAX,
    metrics: { maxDataPoints: METRIC_POINTS },
    settings: {
      backoffStrategy: (_failures, _type, error) => (error instanceof Retry ? error.delayMs : 0),
    },
  })
  worker.on('error', (error) => (isOutage(error) ? redis.report(error) : onError(error)))
  return worker
}

/** Ends the blocking read that waits for a job, so that it takes no message that comes now. */
export function stopTaking(worker: BullWorker): void {
  void worker.pause(true)
  void worker
    .getBackend()
    .disconnectBlocking(false)
    .catch(() => undefined)
}
