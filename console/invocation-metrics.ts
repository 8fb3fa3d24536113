/** What is counted of invocations, and told of each that ends. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { RunningInvocation } from '../runtime/invocation.ts'
import type { LoadedFunction } from '../runtime/loader.ts'

/** Of durations, in seconds. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export interface EndedInvocation {
  fn: LoadedFunction
  invocation: RunningInvocation
  request: Request
  /** The traceparent that it continues; undefined where it is the request's. */
  parent: string | undefined
  status: number
  ms: number
  /** Why there is no Response of the function's own; undefined where there is one. */
  err: unknown
}

export function invocationMetrics(registry: Registry) {
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames, registers })
  const help = 'From the request to the Response.'
  const labelNames = ['function'] as const
  const duration = new Histogram({
    name: 'faas_invoke_duration_seconds',
    help,
    labelNames,
    buckets: SECONDS,
    registers,
  })
  const listeners: ((ended: EndedInvocation) => void)[] = []
  return {
    duration,
    /** Called once for each invocation. */
    ended(ended: EndedInvocation): void {
      const { fn, status, ms } = ended
      fn.answered.set(status, (fn.answered.get(status) ?? 0) + 1)
      duration.observe({ function: fn.name }, ms / 1_000)
      for (const listener of listeners) listener(ended)
    },
    /** `listener` is told of each invocation that ends from now on. */
    onEnded(listener: (ended: EndedInvocation) => void): void {
      listeners.push(listener)
    },
    /** Written when they are scraped, from counts that the functions keep: an invocation pays nothing for them. */
    collectFunctions(functions: readonly LoadedFunction[]): void {
      const ended = counter('faas_invocations_total', 'Invocations that ended.', 'function', 'trigger', 'status')
      const errors = counter('faas_errors_total', 'Invocations that ended with 5xx.', 'function')
      const timeouts = counter('faas_timeouts_total', 'Invocations that passed their deadline.', 'function')
      const inFlight = { name: 'faas_invocations_in_flight', help: 'Invocations that run now.', labelNames, registers }
      const running = new Gauge(inFlight)
      Object.assign(ended, {
        collect() {
          for (const metric of [ended, errors, timeouts]) metric.reset()
          for (const fn of functions) {
            running.set({ function: fn.name }, fn.running)
            for (const [status, count] of fn.answered) {
              ended.inc({ function: fn.name, trigger: fn.config.trigger.type, status }, count)
              if (status >= 500) errors.inc({ function: fn.name }, count)
              if (status === 504) timeouts.inc({ function: fn.name }, count)
            }
          }
        },
      })
    },
  }
}
