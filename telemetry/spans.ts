/** Exports the invocations' spans over OTLP/HTTP: in batches, bounded, and never in an invocation's way. */
import { randomUUID } from 'node:crypto'
import type { SpanExporter } from '@opentelemetry/sdk-trace'
import { ConfigError } from '#shared/errors.ts'
import type { SpanCounts } from '../console/telemetry-metrics.ts'
import type { EndedInvocation } from '../console/metrics.ts'
import type { RootLogger } from '../console/logger.ts'
import { EXPORT_EVERY_MS, SPANS_MAX, SPANS_PER_EXPORT } from './limits.ts'
import { isSampled, spanOf } from './span.ts'

export interface SpansOptions {
  /** OTEL_EXPORTER_OTLP_ENDPOINT; /v1/traces is added to it. */
  endpoint: string
  service: string
  version: string
  everyMs?: number
}

export interface Spans {
  counts: SpanCounts
  record(ended: EndedInvocation): void
  start(logger: Pick<RootLogger, 'warn' | 'info'>): void
  /** Exports what waits, for at most `flushMs`. */
  close(flushMs: number): Promise<void>
}

/** Imported late: who exports nothing does not pay for them. */
async function importPackages() {
  try {
    const [{ OTLPTraceExporter }, { BatchSpanProcessor }, { defaultResource, resourceFromAttributes }] =
      await Promise.all([
        import('@opentelemetry/exporter-trace-otlp-http'),
        import('@opentelemetry/sdk-trace'),
        import('@opentelemetry/resources'),
      ])
    return { OTLPTraceExporter, BatchSpanProcessor, defaultResource, resourceFromAttributes }
  } catch (cause) {
    const what = 'OTEL_EXPORTER_OTLP_ENDPOINT: needs the @opentelemetry packages, which are not installed'
    throw new ConfigError(what, { cause })
  }
}

/** Counts what the exporter makes of its batches; it retries each itself, for ten seconds at most. */
function counted(exporter: SpanExporter, onResult: (count: number, error: Error | null) => void): SpanExporter {
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        onResult(
          spans.length,
          result.code === (0 as typeof result.code) ? null : (result.error ?? new Error('the export failed')),
        )
        done(result)
      })
    },
    shutdown: async () => await exporter.shutdown(),
  }
}

export async function openSpans({
  endpoint,
  service,
  version,
  everyMs = EXPORT_EVERY_MS,
}: SpansOptions): Promise<Spans> {
  const { OTLPTraceExporter, BatchSpanProcessor, defaultResource, resourceFromAttributes } = await importPackages()
  const counts: SpanCounts = { spans: { exported: 0, failed: 0, dropped: 0 } }
  const instance = randomUUID()
  const resource = defaultResource().merge(
    resourceFromAttributes({
      'service.name': service,
      'service.version': version,
      'service.instance.id': instance,
      'faas.version': version,
      'faas.instance': instance,
    }),
  )
  let waiting = 0
  let failing = false
  let log: Pick<RootLogger, 'warn' | 'info'> | undefined
  const onResult = (count: number, error: Error | null): void => {
    waiting -= count
    counts.spans[error ? 'failed' : 'exported'] += count
    if (error && !failing) log?.warn({ reason: error.message }, 'spans cannot be exported')
    if (!error && failing) log?.info('spans are exported again')
    failing = error !== null
  }
  const url = `${endpoint.replace(/\/$/, '')}/v1/traces`
  const processor = new BatchSpanProcessor({
    exporter: counted(new OTLPTraceExporter({ url }), onResult),
    maxQueueSize: SPANS_MAX,
    maxExportBatchSize: SPANS_PER_EXPORT,
    scheduledDelayMillis: everyMs,
  })
  return {
    counts,
    start: (logger) => void (log = logger),
    record(ended) {
      if (!isSampled(ended.invocation.traceparent)) return
      if (waiting >= SPANS_MAX) {
        counts.spans.dropped++
        return
      }
      waiting++
      processor.onEnd(spanOf(ended, { resource, version }))
    },
    async close(flushMs) {
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, flushMs)
      await Promise.race([processor.shutdown().catch(() => undefined), late]).finally(() => clearTimeout(timer))
    },
  }
}
