/** Timers: each scheduled instant is claimed in the store, so that one process of many runs it. */
import type { TaskStore } from '#shared/bindings.ts'
import type { Invoke } from '../invoke.ts'
import { type LoadedFunction, messageOf, type ResolvedConfig } from '../loader.ts'
import type { RootLogger } from '../logger.ts'
import { childTraceparent } from '../trace.ts'

export type TimerConfig = Extract<ResolvedConfig['trigger'], { type: 'timer' }>

const TIMEOUT_MAX_MS = 2 ** 31 - 1

/** The first scheduled instant after `now`, in Unix ms; null when there is none. */
export type Schedule = (now: number) => number | null

/** croner is imported only for a cron expression; throws on one that is none. */
export async function scheduleOf({ everyMs, cron }: TimerConfig): Promise<Schedule> {
  if (everyMs !== undefined) return (now) => (Math.floor(now / everyMs) + 1) * everyMs
  const { Cron } = await import('croner')
  const expression = new Cron(cron ?? '', { paused: true, timezone: 'UTC' })
  return (now) => expression.nextRun(new Date(now))?.getTime() ?? null
}

export interface TimerOptions {
  tasks: Pick<TaskStore, 'claimTick'>
  invoke: Invoke
  logger: RootLogger
}

export interface Timer {
  /** Starts no further run; resolves when the one that runs is over. */
  stop(): Promise<void>
}

/** Runs one instant, if no other process has it. A non-2xx is an error in the log, never a retry: the next tick comes. */
export async function tick(fn: LoadedFunction, slot: number, { tasks, invoke, logger }: TimerOptions): Promise<void> {
  if (!(await tasks.claimTick(fn.name, slot))) return
  const traceparent = childTraceparent(null)
  const headers = {
    'ce-specversion': '1.0',
    'ce-id': `${fn.name}.${slot}`,
    'ce-type': 'timer.tick',
    'ce-source': '/revela',
    'ce-time': new Date(slot).toISOString(),
    traceparent,
  }
  const response = await invoke(fn, new Request('http://timer.invalid/', { method: 'POST', headers }), {
    caller: { kind: 'open' },
    traceparent,
  })
  await response.body?.cancel()
  if (!response.ok) logger.error({ function: fn.name, status: response.status }, 'timer run failed')
}

export async function startTimer(fn: LoadedFunction, config: TimerConfig, options: TimerOptions): Promise<Timer> {
  const next = await scheduleOf(config)
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  let stopped = false
  const arm = (): void => {
    const slot = next(Date.now())
    if (stopped || slot === null) return
    const delay = Math.max(0, slot - Date.now())
    // setTimeout takes 31 bits of milliseconds and fires at once beyond: a far instant is reached in steps.
    if (delay > TIMEOUT_MAX_MS) {
      timer = setTimeout(arm, TIMEOUT_MAX_MS)
      return
    }
    timer = setTimeout(() => {
      running = tick(fn, slot, options).catch((error: unknown) =>
        options.logger.error({ function: fn.name, reason: messageOf(error) }, 'timer tick failed'),
      )
      // Armed only when the run is over: one that outlives its slot skips the instants it slept through.
      void running.then(arm)
    }, delay)
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
