/** Prometheus metrics. Names follow OpenTelemetry's FaaS conventions where those have one; labels are bounded. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Measures } from '#shared/bindings.ts'
import { NotCounted, type QueueDriver } from '#shared/consumer.ts'
import { invocationMetrics, SECONDS } from './invocation-metrics.ts'

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
    ...invocationMetrics(registry),
    coldstarts: counter('faas_coldstarts_total', 'Containers started.', 'function'),
    containers: gauge('containers', 'Containers alive.', 'function'),
    verdicts: counter('queue_verdicts_total', 'Queue messages by verdict.', 'queue', 'verdict'),
    measure(name: keyof Measures, value: number, labels: Record<string, string>): void {
      const metric = measures[name]
      if (metric instanceof Histogram) metric.observe(labels, value)
      else metric.inc(labels, value)
    },
    /** Read from the queue itself: nothing is counted twice over replicas or lost over restarts. */
    collectQueues(driver: QueueDriver, queues: readonly string[], waiters: () => number): void {
      const depth = gauge('queue_messages', 'Messages by state; dead ones are on <queue>-dead.', 'queue', 'state')
      const age = gauge('queue_oldest_message_seconds', 'Age of the oldest message that is ready.', 'queue')
      const waiting = gauge('task_waiters', 'Requests and streams that wait for a change of a task.')
      let reading = Promise.resolve()
      const read = async (): Promise<void> => {
        for (const queue of queues) {
          const stats = await driver.stats(queue).catch((error: unknown) => {
            if (error instanceof NotCounted) return null
            throw error
          })
          // Without a number there is no series: a zero would be a lie.
          if (!stats) continue
          const { oldestMs, ...states } = stats
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
