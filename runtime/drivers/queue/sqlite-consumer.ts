/** Takes messages under leases, renews them while they run, and writes what became of them. */
import { type ConsumeOptions, type Consumer, type Delivery, retryDelayMs } from '#shared/consumer.ts'
import { MINUTE_MS } from '#shared/limits.ts'
import type { Verdict } from '#shared/verdict.ts'
import type { Lease, Leases } from './sqlite-leases.ts'

/** Wait after a verdict that did not count and named no time. */
const UNCOUNTED_RETRY_MS = 1_000
/** Wait after a failure of the file itself. */
const OUTAGE_RETRY_MS = 1_000
/** Longest sleep: a wall clock that is set back must not put messages off for as long. */
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

/** Writes the verdict. The delivery that follows maxAttempts failures comes at once: it is for settling, not for trying. */
function conclude({ leases, options }: ConsumerContext, lease: Lease, verdict: Verdict): void {
  if (verdict.kind === 'ack') return leases.finish(lease)
  const failures = lease.failures + 1
  if (verdict.kind === 'dead') {
    return leases.bury(lease, { reason: verdict.reason, attempts: failures, lastStatus: verdict.status })
  }
  const { reason, status, afterMs, counted } = verdict
  const now = Date.now()
  if (!counted) return leases.release(lease, lease.failures, now + (afterMs ?? UNCOUNTED_RETRY_MS))
  if (failures > options.maxAttempts) return leases.bury(lease, { reason, attempts: failures, lastStatus: status })
  if (failures === options.maxAttempts) return leases.release(lease, failures, now)
  return leases.release(lease, failures, now + (afterMs ?? retryDelayMs(options.backoff, failures)))
}

function verdictOfThrow(error: unknown): Verdict {
  const reason = `the handler threw: ${error instanceof Error ? error.message : String(error)}`
  return { kind: 'retry', reason, status: null, afterMs: null, counted: true, fault: true }
}

/** Renews what runs every third of a lease, and before anything is taken when that is overdue. */
function keepLeases({ leases, leaseMs, onError }: ConsumerContext, running: ReadonlyMap<string, Lease>) {
  const everyMs = leaseMs / 3
  let renewedAt = Date.now()
  function renew(): void {
    renewedAt = Date.now()
    if (running.size === 0) return
    try {
      leases.renew(running.values(), renewedAt + leaseMs)
    } catch (error) {
      onError(error)
    }
  }
  const timer = setInterval(renew, everyMs)
  return {
    // After a long stall (a laptop that slept) the timers fire late and in any order: own work must not be taken twice.
    renewIfLate: (): void => {
      if (Date.now() - renewedAt > everyMs) renew()
    },
    stop: (): void => clearInterval(timer),
  }
}

/** What runs now. `onEnd` is called after each verdict. */
function work(context: ConsumerContext, onEnd: () => void) {
  const { leases, handle, onError } = context
  const running = new Map<string, Lease>()
  const idlers: (() => void)[] = []

  function forget(lease: Lease): void {
    running.delete(lease.token)
    if (running.size === 0) idlers.splice(0).forEach((resolve) => resolve())
  }

  function tryTo(write: () => void): void {
    try {
      write()
    } catch (error) {
      // The lease runs out and the message comes again, uncounted.
      onError(error)
    }
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
    tryTo(() => conclude(context, lease, verdict))
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
    giveBack: (): void => {
      for (const lease of running.values()) {
        tryTo(() => leases.release(lease, lease.failures, Date.now()))
        forget(lease)
      }
    },
  }
}

export function leaseConsumer(context: ConsumerContext): WakingConsumer {
  const { queue, leases, newToken, leaseMs, options, onError } = context
  const { running, start, idle, giveBack } = work(context, () => wake())
  const keeper = keepLeases(context, running)
  let paused = false
  let pumping: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined

  function take(): void {
    const free = options.concurrency - running.size
    if (free <= 0) return
    keeper.renewIfLate()
    leases.take(queue, free, newToken, Date.now() + leaseMs).forEach(start)
    // With every slot taken, the end of one looks again.
    if (running.size === options.concurrency) return
    const readyAt = leases.nextReadyAt(queue)
    if (readyAt !== null) timer = setTimeout(wake, Math.min(Math.max(readyAt - Date.now(), 1), SLEEP_MAX_MS))
  }

  function pump(): void {
    pumping = undefined
    clearTimeout(timer)
    try {
      take()
    } catch (error) {
      onError(error)
      timer = setTimeout(wake, OUTAGE_RETRY_MS)
    }
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
      giveBack()
    },
  }
}
