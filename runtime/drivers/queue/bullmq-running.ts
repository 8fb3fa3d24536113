/** The messages that one consumer works on: started, renewed, judged, or given back. */
import type { ConsumeOptions, Delivery } from '#shared/consumer.ts'
import { type Verdict, verdictOfThrow } from '#shared/verdict.ts'
import { bullQueues } from './bullmq-jobs.ts'
import { conclude, failuresOf, isLost, release, type Taken } from './bullmq-verdict.ts'
import type { BullWorker, WorkerContext } from './bullmq-worker.ts'

export interface ConsumerContext extends WorkerContext {
  beginMs: number
  options: ConsumeOptions
  handle: (delivery: Delivery) => Promise<Verdict>
}

export interface Running {
  count(): number
  start(taken: Taken): void
  renew(worker: BullWorker): Promise<void>
  giveBack(taken: Taken): Promise<void>
  /** Resolves when nothing runs. */
  idle(): Promise<void>
  /** Gives all of them back; a later verdict is ignored. */
  close(): Promise<void>
}

/** `onEnd` is called after each that is over. */
export function runningMessages(context: ConsumerContext, onEnd: () => void): Running {
  const { redis, prefix, leaseMs, options, handle, onError } = context
  const running = new Map<string, Taken>()
  const idlers: (() => void)[] = []
  const queues = bullQueues(() => redis.working(), prefix)

  const isRunning = (taken: Taken): boolean => running.get(taken.job.id!) === taken

  function forget({ job }: Taken): void {
    running.delete(job.id!)
    if (running.size === 0) idlers.splice(0).forEach((resolve) => resolve())
    onEnd()
  }

  async function tryTo(write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      // The lock runs out and the message comes again, uncounted; or it has come already.
      if (!isLost(error)) onError(error)
    }
  }

  async function run(taken: Taken): Promise<void> {
    const delivery = { message: taken.job.data, attempt: failuresOf(taken) + 1 }
    const verdict = await handle(delivery).catch(verdictOfThrow)
    let token: string | undefined
    // Given back by close(), someone else has the message now, or will. Come back meanwhile, it has another lock.
    while (isRunning(taken) && taken.token !== token) {
      token = taken.token
      await tryTo(() => conclude({ queues, leaseMs, options }, taken, verdict))
    }
    if (isRunning(taken)) forget(taken)
  }

  return {
    count: () => running.size,
    start(taken) {
      const own = running.get(taken.job.id!)
      if (own) {
        // Its lock was lost while Redis was away, and it came back to the one who still works on it.
        Object.assign(own, taken)
        return
      }
      running.set(taken.job.id!, taken)
      void run(taken)
    },
    async renew(worker) {
      if (running.size === 0) return
      const taken = [...running.values()]
      const ids = taken.map(({ job }) => job.id!)
      const tokens = taken.map(({ token }) => token)
      await tryTo(async () => void (await worker.extendJobLocks(ids, tokens, leaseMs)))
    },
    giveBack: (taken) => tryTo(() => release(taken)),
    idle: () => new Promise((resolve) => (running.size === 0 ? resolve() : idlers.push(resolve))),
    async close() {
      const given = [...running.values()]
      given.forEach(forget)
      await Promise.all(given.map((taken) => tryTo(() => release(taken))))
      await queues.close()
    },
  }
}
