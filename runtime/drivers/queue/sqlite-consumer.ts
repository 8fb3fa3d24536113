/** Takes messages under leases, renews them while they run, and writes what became of them. */
import type { ConsumeOptions, Consumer, Delivery } from '#shared/consumer.ts'
import { decide } from '#shared/decision.ts'
import { MINUTE_MS } from '#shared/limits.ts'
import { type Verdict, verdictOfThrow } from '#shared/verdict.ts'
import type { Lease, Leases } from './sqlite-leases.ts'

/** Wait after a failure of the file itself. */
const OUTAGE_RETRY_MS = 1_000
/** Longest sleep: a wall clock that was set on meanwhile is seen. One that was set back puts off what it finds in the future. */
const SLEEP_MAX_MS = MINUTE_MS

export interface ConsumerContext {
  queue: string
  leases: Leases
  /** A token that no other delivery of any process has. */
  newToken: () => string
  leaseMs: number
  options: ConsumeOptions
  handle: (delivery: Delivery) => Promise<Verdict>
  onError: (error: unknown) => void
}

export interface WakingConsumer extends Consumer {
  /** Something may have become ready. */
  wake(): void
}

/** Writes what the verdict decides. */
async function conclude({ leases, options }: ConsumerContext, lease: Lease, verdict: Verdict): Promise<void> {
  const { message, failures } = lease
  const attempt = failures + 1
  const decision = decide(verdict, { message, attempt }, options)
  if (decision.kind === 'ack') return await leases.finish(lease)
  if (decision.kind === 'dead') {
    if (await leases.bury(lease, decision.letter)) options.onDead?.(decision.letter)
    return
  }
  await leases.release(lease, decision.counted ? attempt : failures, Date.now() + decision.afterMs)
}

/** Renews what runs every third of a lease, and before anything is taken when that is overdue. */
function keepLeases({ leases, leaseMs, onError }: ConsumerContext, running: ReadonlyMap<string, Lease>) {
  const everyMs = leaseMs / 3
  let renewedAt = Date.now()
  async function renew(): Promise<void> {
    renewedAt = Date.now()
    if (running.size > 0) await leases.renew(() => running.values(), leaseMs).catch(onError)
  }
  const timer = setInterval(() => void renew(), everyMs)
  return {
    // After a long stall (a laptop that slept) the timers fire late and in any order: own work must not be taken twice.
    renewIfLate: async (): Promise<void> => {
      if (Date.now() - renewedAt > everyMs) await renew()
    },
    stop: (): void => clearInterval(timer),
  }
}

/** What runs now. `onEnd` is called after each verdict. */
function work(context: ConsumerContext, onEnd: () => void) {
  const { handle, onError } = context
  const running = new Map<string, Lease>()
  const idlers: (() => void)[] = []

  function forget(lease: Lease): void {
    running.delete(lease.token)
    if (running.size === 0) idlers.splice(0).forEach((resolve) => resolve())
  }

  async function run(lease: Lease): Promise<void> {
    let verdict: Verdict
    try {
      verdict = await handle({ message: lease.message, attempt: lease.failures + 1 })
    } catch (error) {
      verdict = verdictOfThrow(error)
    }
    // Given back by close(): someone else has the message now, or will.
    if (!running.has(lease.token)) return
    // Where it fails the lease runs out and the message comes again, uncounted.
    await conclude(context, lease, verdict).catch(onError)
    forget(lease)
    onEnd()
  }

  return {
    running,
    start: (lease: Lease): void => {
      running.set(lease.token, lease)
      void run(lease)
    },
    idle: (): Promise<void> => new Promise((resolve) => (running.size === 0 ? resolve() : idlers.push(resolve))),
    forgetAll: (): Lease[] => {
      const forgotten = [...running.values()]
      forgotten.forEach(forget)
      return forgotten
    },
  }
}

export function leaseConsumer(context: ConsumerContext): WakingConsumer {
  const { queue, leases, newToken, leaseMs, options, onError } = context
  const { running, start, idle, forgetAll } = work(context, () => wake())
  const keeper = keepLeases(context, running)
  let paused = false
  let pumping: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined
  let taking: Promise<void> | null = null

  async function giveBack(given: readonly Lease[]): Promise<void> {
    for (const lease of given) await leases.release(lease, lease.failures, Date.now()).catch(onError)
  }

  async function take(): Promise<void> {
    const free = (): number => options.concurrency - running.size
    if (free() <= 0) return
    await keeper.renewIfLate()
    const taken = await leases.take(queue, free, newToken, leaseMs)
    // Whoever has been told that nothing runs must not see it begin.
    if (paused) return await giveBack(taken)
    taken.forEach(start)
    // With every slot taken, the end of one looks again.
    if (running.size === options.concurrency) return
    const readyAt = leases.nextReadyAt(queue)
    if (readyAt !== null) timer = setTimeout(wake, Math.min(Math.max(readyAt - Date.now(), 1), SLEEP_MAX_MS))
  }

  function pump(): void {
    pumping = undefined
    clearTimeout(timer)
    // One that waits for another process looks at all that came meanwhile.
    taking ??= take()
      .catch((error: unknown) => {
        onError(error)
        if (!paused) timer = setTimeout(wake, OUTAGE_RETRY_MS)
      })
      .finally(() => (taking = null))
  }

  /** Later, not now: a message may be sent from within a transaction, and its sender is to be answered first. */
  function wake(): void {
    if (!paused) pumping ??= setImmediate(pump)
  }

  function pause(): void {
    paused = true
    clearImmediate(pumping)
    clearTimeout(timer)
  }

  wake()
  return {
    wake,
    pause,
    idle,
    close: async () => {
      pause()
      keeper.stop()
      await giveBack(forgetAll())
      await taking
    },
  }
}
