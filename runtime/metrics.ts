/** Prometheus metrics. Names follow OpenTelemetry's FaaS conventions where those have one; labels are bounded. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Measures } from '#shared/bindings.ts'
import type { QueueDriver } from '#shared/consumer.ts'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

function counter<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: Label[],
): Counter<Label> {
  return new Counter({ name, help, labelNames, registers: [registry] })
}

export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const measures: { [Name in keyof Measures]: Counter<string> | Histogram<string> } = {
    render_seconds: new Histogram({
      name: 'render_seconds',
      help: 'Rendering of one picture, all variants.',
      labelNames: ['outcome'],
      buckets: SECONDS,
      registers: [registry],
    }),
    tasks_total: counter(registry, 'tasks_total', 'Tasks that ended.', ['outcome', 'code']),
    derived_total: counter(registry, 'derived_total', 'Encodings made on demand.', ['format']),
    swept_total: counter(registry, 'swept_total', 'What the sweeper did.', ['action']),
    callbacks_total: counter(registry, 'callbacks_total', 'Attempts at callbacks.', ['outcome']),
  }
  return {
    registry,
    invocations: counter(registry, 'faas_invocations_total', 'Invocations that ended.', [
      'function',
      'trigger',
      'status',
    ]),
    duration: new Histogram({
      name: 'faas_invoke_duration_seconds',
      help: 'From the request to the Response.',
      labelNames: ['function'],
      buckets: SECONDS,
      registers: [registry],
    }),
    errors: counter(registry, 'faas_errors_total', 'Invocations that ended with 5xx.', ['function']),
    timeouts: counter(registry, 'faas_timeouts_total', 'Invocations that passed their deadline.', ['function']),
    coldstarts: counter(registry, 'faas_coldstarts_total', 'Containers started.', ['function']),
    inflight: new Gauge({
      name: 'faas_invocations_in_flight',
      help: 'Invocations that run now.',
      labelNames: ['function'],
      registers: [registry],
    }),
    containers: new Gauge({
      name: 'containers',
      help: 'Containers alive.',
      labelNames: ['function'],
      registers: [registry],
    }),
    verdicts: counter(registry, 'queue_verdicts_total', 'Queue messages by verdict.', ['queue', 'verdict']),
    collectWaiters(count: () => number): Gauge {
      const help = 'Requests and streams that wait for a change of a task.'
      return new Gauge({
        name: 'task_waiters',
        help,
        registers: [registry],
        collect() {
          this.set(count())
        },
      })
    },
    measure(name: keyof Measures, value: number, labels: Record<string, string>): void {
      const metric = measures[name]
      if (metric instanceof Histogram) metric.observe(labels, value)
      else metric.inc(labels, value)
    },
  }
}

/** Depth and age are read when they are scraped: nothing is counted twice over replicas or lost over restarts. */
export function collectQueueMetrics(registry: Registry, driver: QueueDriver, queues: readonly string[]): void {
  const age = new Gauge({
    name: 'queue_oldest_message_seconds',
    help: 'Age of the oldest message that is ready.',
    labelNames: ['queue'],
    registers: [registry],
  })
  const depth = new Gauge({
    name: 'queue_messages',
    help: 'Messages by state; dead ones are on <queue>-dead.',
    labelNames: ['queue', 'state'],
    registers: [registry],
    async collect() {
      for (const queue of queues) {
        const { oldestMs, ...states } = await driver.stats(queue)
        for (const [state, count] of Object.entries(states)) depth.set({ queue, state }, count)
        age.set({ queue }, oldestMs / 1_000)
      }
    },
  })
}
