/** Prometheus metrics. Names follow OpenTelemetry's FaaS conventions where those have one; labels are bounded. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Measures } from '#shared/bindings.ts'
import type { QueueDriver } from '#shared/consumer.ts'
import type { LoadedFunction } from '../loader.ts'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> =>
    new Counter({ name, help, labelNames, registers })
  const seconds = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Histogram<Label> =>
    new Histogram({ name, help, labelNames, buckets: SECONDS, registers })
  const gauge = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Gauge<Label> =>
    new Gauge({ name, help, labelNames, registers })
  const measures: { [Name in keyof Measures]: Counter | Histogram } = {
    render_seconds: seconds('render_seconds', 'Rendering of one picture, all variants.', 'outcome'),
    tasks_total: counter('tasks_total', 'Tasks that ended.', 'outcome', 'code'),
    derived_total: counter('derived_total', 'Encodings made on demand.', 'format'),
    swept_total: counter('swept_total', 'What the sweeper did.', 'action'),
    callbacks_total: counter('callbacks_total', 'Attempts at callbacks.', 'outcome'),
  }
  return {
    registry,
    duration: seconds('faas_invoke_duration_seconds', 'From the request to the Response.', 'function'),
    coldstarts: counter('faas_coldstarts_total', 'Containers started.', 'function'),
    containers: gauge('containers', 'Containers alive.', 'function'),
    verdicts: counter('queue_verdicts_total', 'Queue messages by verdict.', 'queue', 'verdict'),
    measure(name: keyof Measures, value: number, labels: Record<string, string>): void {
      const metric = measures[name]
      if (metric instanceof Histogram) metric.observe(labels, value)
      else metric.inc(labels, value)
    },
    /** Written when they are scraped, from counts that the functions keep: an invocation pays nothing for them. */
    collectFunctions(functions: readonly LoadedFunction[]): void {
      const ended = counter('faas_invocations_total', 'Invocations that ended.', 'function', 'trigger', 'status')
      const errors = counter('faas_errors_total', 'Invocations that ended with 5xx.', 'function')
      const timeouts = counter('faas_timeouts_total', 'Invocations that passed their deadline.', 'function')
      const running = gauge('faas_invocations_in_flight', 'Invocations that run now.', 'function')
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
    /** Read from the queue itself: nothing is counted twice over replicas or lost over restarts. */
    collectQueues(driver: QueueDriver, queues: readonly string[], waiters: () => number): void {
      const depth = gauge('queue_messages', 'Messages by state; dead ones are on <queue>-dead.', 'queue', 'state')
      const age = gauge('queue_oldest_message_seconds', 'Age of the oldest message that is ready.', 'queue')
      const waiting = gauge('task_waiters', 'Requests and streams that wait for a change of a task.')
      let reading = Promise.resolve()
      const read = async (): Promise<void> => {
        for (const queue of queues) {
          const { oldestMs, ...states } = await driver.stats(queue)
          for (const [state, count] of Object.entries(states)) depth.set({ queue, state }, count)
          age.set({ queue }, oldestMs / 1_000)
        }
      }
      Object.assign(depth, { collect: () => (reading = read()) })
      // Scraped after the depth, and with it: else it would be that of the scrape before.
      Object.assign(age, { collect: () => reading })
      Object.assign(waiting, { collect: () => waiting.set(waiters()) })
    },
  }
}
