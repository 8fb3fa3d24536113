/** The numbers by name, as prom-client holds them. Names follow OpenTelemetry's FaaS conventions; labels are bounded. */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Measures } from '#shared/bindings.ts'
import type { Config } from '../runtime/config.ts'
import type { LoadedFunction } from '../runtime/loader.ts'
import { collectFunctions } from './function-metrics.ts'
import { collectQueues, type QueueSources } from './queue-metrics.ts'
import { collectSurroundings } from './surroundings.ts'

/** Of durations, in seconds. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

export type Counts = ReturnType<typeof openCounts>

export interface CollectOptions {
  config: Pick<Config, 'STORAGE_INPUT_PATH' | 'STORAGE_OUTPUT_PATH' | 'LOG_SPOOL_PATH' | 'LOKI_URL'>
  functions: readonly LoadedFunction[]
  bindings: QueueSources
  /** How many wait for a change. */
  waiters: () => number
}

export function openCounts() {
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
    /** What is read when it is scraped. */
    collect({ config, functions, bindings, waiters }: CollectOptions): void {
      collectFunctions(registry, functions)
      const queues = functions.flatMap(({ config: { trigger } }) => (trigger.type === 'queue' ? [trigger.queue] : []))
      collectQueues(registry, bindings, [...new Set(queues)])
      const { STORAGE_INPUT_PATH: input, STORAGE_OUTPUT_PATH: output, LOG_SPOOL_PATH: logs } = config
      collectSurroundings(registry, { input, output, ...(config.LOKI_URL ? { logs } : {}) })
      const waiting = gauge('task_waiters', 'Requests and streams that wait for a change of a task.')
      Object.assign(waiting, { collect: () => waiting.set(waiters()) })
    },
  }
}
