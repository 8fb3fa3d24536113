/** What leaves the process beside answers and metrics: log lines for Loki, spans for an OTLP receiver. Neither by default. */
import type { Config } from '../runtime/config.ts'
import type { Core } from '../runtime/core.ts'
import { FLUSH_MS } from './limits.ts'

export interface Telemetry {
  /** Takes each log line, before stdout does; undefined without LOKI_URL. */
  keep: ((line: string) => void) | undefined
  /** Begins to ship and to export. It ends when the bindings have closed, the last that does: it has FLUSH_MS for it. */
  attach(core: Pick<Core, 'logger' | 'metrics' | 'bindings'>): Promise<void>
}

type TelemetryConfig = Pick<
  Config,
  | 'LOKI_URL'
  | 'LOG_SPOOL_PATH'
  | 'LOG_SPOOL_BYTES_MAX'
  | 'OTEL_EXPORTER_OTLP_ENDPOINT'
  | 'OTEL_SERVICE_NAME'
  | 'APP_VERSION'
>

async function logsOf({
  LOKI_URL: url,
  LOG_SPOOL_PATH: root,
  LOG_SPOOL_BYTES_MAX: bytesMax,
  ...rest
}: TelemetryConfig) {
  if (url === undefined) return undefined
  const { openLogs } = await import('./logs.ts')
  return openLogs({ url, root, bytesMax, service: rest.OTEL_SERVICE_NAME })
}

async function spansOf({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, ...rest }: TelemetryConfig) {
  if (endpoint === undefined) return undefined
  const { openSpans } = await import('./spans.ts')
  return await openSpans({ endpoint, service: rest.OTEL_SERVICE_NAME, version: rest.APP_VERSION })
}

/** Throws ConfigError where the spool cannot be written or a package is missing. */
export async function openTelemetry(config: TelemetryConfig): Promise<Telemetry> {
  // The spans first: what they lack shows before the spool takes its folder.
  const spans = await spansOf(config)
  const logs = await logsOf(config)
  return {
    keep: logs && ((line) => logs.keep(line)),
    async attach({ logger, metrics, bindings }) {
      if (!logs && !spans) return
      metrics.extend(async (registry) => {
        const { collectLogs, collectSpans } = await import('../console/telemetry-metrics.ts')
        if (logs) collectLogs(registry, logs.counts)
        if (spans) collectSpans(registry, spans.counts)
      })
      if (spans) metrics.onEnded((ended) => spans.record(ended))
      spans?.start(logger)
      logs?.start(logger)
      const close = bindings.close.bind(bindings)
      bindings.close = async () => {
        await close()
        await spans?.close(FLUSH_MS)
        await logs?.close(FLUSH_MS)
      }
    },
  }
}
