/** Timers: each scheduled instant is claimed in the store, so that one process of many runs it. */
import type { TaskStore } from '#shared/bindings.ts'
import type { Invoke } from '../invoke.ts'
import { TIMEOUT_MAX_MS } from '../limits.ts'
import { messageOf } from '../host.ts'
import type { LoadedFunction, ResolvedConfig } from '../loader.ts'
import type { RootLogger } from '../../console/logger.ts'
import { childTraceparent } from '../trace.ts'

type TimerConfig = Extract<ResolvedConfig['trigger'], { type: 'timer' }>

/** The first scheduled instant after `now`, in Unix ms; null when there is none. */
export type Schedule = (now: number) => number | null

/** croner is imported only for a cron expression; rejects on one that is none. Cron times are UTC. */
export async function scheduleOf({ everyMs, cron }: Omit<TimerConfig, 'type'>): Promise<Schedule> {
  if (everyMs !== undefined) return (now) => (Math.floor(now / everyMs) + 1) * everyMs
  const { Cron } = await import('croner')
  const expression = new Cron(cron ?? '', { paused: true, timezone: 'UTC' })
  return (now) => expression.nextRun(new Date(now))?.getTime() ?? null
}

export interface TimerOptions {
  functions: readonly LoadedFunction[]
  bindings: { tasks: Pick<TaskStore, 'claimTick'> }
  invoke: Invoke
  logger: RootLogger
}

export interface Timer {
  /** Starts no further run; resolves when the one that runs is over. */
  stop(): Promise<void>
}

/**
 * Runs one instant, if no other process has it. A non-2xx is an error in the log, never a retry: the next tick comes.
 * False when it failed.
 */
export async function tick(fn: LoadedFunction, slot: number, options: TimerOptions, maxMs?: number): Promise<boolean> {
  const { bindings, invoke, logger } = options
  if (!(await bindings.tasks.claimTick(fn.name, slot))) return true
  const traceparent = childTraceparent(null)
  const event = {
    'ce-specversion': '1.0',
    'ce-id': `${fn.name}.${slot}`,
    'ce-type': 'timer.tick',
    'ce-source': '/revela',
  }
  const headers = { ...event, 'ce-time': new Date(slot).toISOString(), traceparent }
  const request = new Request('http://timer.invalid/', { method: 'POST', headers })
  const response = await invoke(fn, request, { caller: { kind: 'open' }, traceparent, maxMs })
  await response.body?.cancel().catch(() => undefined)
  if (!response.ok) logger.error({ function: fn.name, status: response.status }, 'timer run failed')
  return response.ok
}

function startTimer(fn: LoadedFunction, next: Schedule, options: TimerOptions): Timer {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<unknown> = Promise.resolve()
  let stopped = false
  const run = (slot: number): void => {
    running = tick(fn, slot, options).catch((error: unknown) => {
      options.logger.error({ function: fn.name, reason: messageOf(error) }, 'timer tick failed')
    })
    // Armed only when the run is over: one that outlives its slot skips the instants it slept through.
    void running.then(arm)
  }
  const arm = (): void => {
    const slot = next(Date.now())
    if (stopped || slot === null) return
    const delay = Math.max(0, slot - Date.now())
    // A far instant is reached in steps.
    timer = delay > TIMEOUT_MAX_MS ? setTimeout(arm, TIMEOUT_MAX_MS) : setTimeout(run, delay, slot)
  }
  arm()
  return {
    async stop() {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}

/** One timer for each timer function. */
export async function startTimers(options: TimerOptions): Promise<Timer[]> {
  const timers: Timer[] = []
  for (const fn of options.functions) {
    const { trigger } = fn.config
    if (trigger.type === 'timer') timers.push(startTimer(fn, await scheduleOf(trigger), options))
  }
  return timers
}
