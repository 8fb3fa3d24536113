/** Takes jobs under BullMQ's locks, one after the other, as long as there is a slot. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Consumer } from '#shared/consumer.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { isOutage } from '../redis/errors.ts'
import { type ConsumerContext, runningMessages } from './bullmq-running.ts'
import { type BullWorker, newWorker, stopTaking } from './bullmq-worker.ts'

/** Wait after a failure of Redis itself. */
const OUTAGE_RETRY_MS = SECOND_MS
/** How long each step of a close may take: Redis may be away. */
const CLOSE_STEP_MS = SECOND_MS

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const timeout = new AbortController()
  const late = delay(ms, undefined, { signal: timeout.signal }).catch(() => undefined)
  await Promise.race([work, late]).catch(() => undefined)
  timeout.abort()
}

/** Tells an error that comes again and again once, until something went well. */
function onceEach({ redis, onError }: ConsumerContext) {
  let last: string | null = null
  return {
    tell: (error: unknown): void => {
      const text = String(error)
      if (text === last) return
      last = text
      if (isOutage(error)) redis.report(error)
      else onError(error)
    },
    wentWell: (): void => {
      last = null
    },
  }
}

async function rest(ms: number, stop: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: stop }).catch(() => undefined)
}

/** One that can be asked for jobs; null when it was stopped before. `made` is told of each, ready or not. */
async function readyWorker(
  context: ConsumerContext,
  stop: AbortSignal,
  made: (worker: BullWorker) => void,
): Promise<BullWorker | null> {
  while (!stop.aborted) {
    const worker = await newWorker(context)
    made(worker)
    try {
      await worker.waitUntilReady()
      await worker.startStalledCheckTimer()
      return worker
    } catch (error) {
      // Redis went silent in the moment in which it was asked for its version: this worker will never be ready.
      context.onError(error)
      await worker.close(true)
      await rest(OUTAGE_RETRY_MS, stop)
    }
  }
  return null
}

export function bullmqConsumer(given: ConsumerContext): Consumer {
  const { tell, wentWell } = onceEach(given)
  const context = { ...given, onError: tell }
  const { options, leaseMs, beginMs } = context
  // Random for each process: a label such as WORKER_ID may be shared by replicas.
  const owner = randomUUID()
  const stopper = new AbortController()
  const stop = stopper.signal
  let freed = Promise.withResolvers<void>()
  const running = runningMessages(context, () => freed.resolve())
  let deliveries = 0
  let worker: BullWorker | undefined
  let renewal: NodeJS.Timeout | undefined

  async function take(from: BullWorker): Promise<void> {
    const token = `${owner}.${++deliveries}`
    const job = await from.getNextJob(token)
    wentWell()
    if (!job) return
    // It came while it was being paused.
    if (stop.aborted) await running.giveBack({ job, token })
    else running.start({ job, token })
  }

  async function pump(): Promise<void> {
    if (beginMs > 0) await rest(beginMs, stop)
    const ready = await readyWorker(context, stop, (made) => (worker = made))
    if (!ready) return
    renewal = setInterval(() => void running.renew(ready), leaseMs / 3)
    while (!stop.aborted) {
      if (running.count() >= options.concurrency) {
        freed = Promise.withResolvers<void>()
        await freed.promise
        continue
      }
      try {
        await take(ready)
      } catch (error) {
        tell(error)
        await rest(OUTAGE_RETRY_MS, stop)
      }
    }
  }

  function pause(): void {
    if (stop.aborted) return
    stopper.abort()
    freed.resolve()
    if (worker) stopTaking(worker)
  }

  const pumping = pump().catch(tell)
  return {
    pause,
    idle: () => running.idle(),
    async close() {
      pause()
      // What was just being taken is given back first.
      await atMost(CLOSE_STEP_MS, pumping)
      clearInterval(renewal)
      await atMost(CLOSE_STEP_MS, running.close())
      await atMost(CLOSE_STEP_MS, worker?.close(true) ?? Promise.resolve())
    },
  }
}
