/** What becomes of log lines and spans on their way out. Read when they are scraped, from counts that are kept anyway. */
import { Counter, Gauge, type Registry } from 'prom-client'

export interface LogCounts {
  /** Bytes of lines that Loki will never get; stdout had them. */
  lostBytes: Record<'bound' | 'disk' | 'refused', number>
  /** Answers of Loki. */
  pushes: Record<'ok' | 'refused' | 'retry', number>
  /** LOG_SPOOL_BYTES_MAX. */
  bytesMax: number
  unsentBytes: () => number
}

export interface SpanCounts {
  /** `failed`: the receiver did not take them. `dropped`: too many waited. */
  spans: Record<'exported' | 'failed' | 'dropped', number>
}

/** A counter that shows one count for each value of its label. */
function shown(registry: Registry, name: string, help: string, label: string, counts: Record<string, number>): void {
  const counter = new Counter({ name, help, labelNames: [label], registers: [] })
  const collect = (): void => {
    counter.reset()
    for (const [value, count] of Object.entries(counts)) counter.inc({ [label]: value }, count)
  }
  registry.registerMetric(Object.assign(counter, { collect }))
}

export function collectLogs(registry: Registry, { lostBytes, pushes, bytesMax, unsentBytes }: LogCounts): void {
  shown(registry, 'log_lost_bytes_total', 'Bytes of log lines that will not reach Loki.', 'reason', lostBytes)
  shown(registry, 'log_pushes_total', 'Pushes to Loki by outcome; retry is tried again.', 'outcome', pushes)
  const help = 'Log lines on disk that Loki does not have yet.'
  const unsent = new Gauge({ name: 'log_spool_unsent_bytes', help, registers: [registry] })
  Object.assign(unsent, { collect: () => unsent.set(unsentBytes()) })
  new Gauge({ name: 'log_spool_max_bytes', help: 'LOG_SPOOL_BYTES_MAX.', registers: [registry] }).set(bytesMax)
}

export function collectSpans(registry: Registry, { spans }: SpanCounts): void {
  shown(registry, 'trace_spans_total', 'Spans by what became of their export.', 'outcome', spans)
}
