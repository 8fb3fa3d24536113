/** Written when they are scraped, from counts that the functions keep: an invocation pays nothing for them. */
import { Counter, Gauge, type Registry } from 'prom-client'
import type { LoadedFunction } from '../runtime/loader.ts'

export function collectFunctions(registry: Registry, functions: readonly LoadedFunction[]): void {
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames, registers })
  const ended = counter('faas_invocations_total', 'Invocations that ended.', 'function', 'trigger', 'status')
  const errors = counter('faas_errors_total', 'Invocations that ended with 5xx.', 'function')
  const timeouts = counter('faas_timeouts_total', 'Invocations that passed their deadline.', 'function')
  const labelNames = ['function'] as const
  const running = new Gauge({
    name: 'faas_invocations_in_flight',
    help: 'Invocations that run now.',
    labelNames,
    registers,
  })
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
}
