/** The log's way to Loki: kept on disk as it is written, shipped from there. */
import { ConfigError } from '#shared/errors.ts'
import type { LogCounts } from '../console/telemetry-metrics.ts'
import { messageOf } from '../runtime/host.ts'
import type { RootLogger } from '../console/logger.ts'
import { REFUSAL_TOLD_EVERY_MS } from './limits.ts'
import { lokiPush } from './loki.ts'
import { startShipper, type Shipper, type ShipperOptions } from './shipper.ts'
import { openSpool } from './spool.ts'
import { spoolFiles } from './spool-files.ts'
import { claimFolder, type SpoolFolder } from './spool-folder.ts'

export interface LogsOptions {
  /** LOKI_URL. */
  url: string
  /** LOG_SPOOL_PATH. */
  root: string
  /** LOG_SPOOL_BYTES_MAX. */
  bytesMax: number
  service: string
  pauses?: ShipperOptions['pauses']
}

export interface Logs {
  /** Takes a line with its newline, and never throws. */
  keep(line: string): void
  counts: LogCounts
  /** Ships from now on, and tells the log of its trouble. */
  start(logger: Pick<RootLogger, 'warn' | 'info'>): void
  /** What cannot be shipped within `flushMs` stays on disk, for the next process. */
  close(flushMs: number): Promise<void>
}

function claim({ root, service }: LogsOptions): SpoolFolder {
  try {
    return claimFolder(root, service)
  } catch (error) {
    throw new ConfigError(`LOG_SPOOL_PATH: log lines cannot be kept there: ${messageOf(error)}`)
  }
}

export function openLogs(options: LogsOptions): Logs {
  const { url, root, bytesMax, pauses = {} } = options
  const folder = claim(options)
  const files = spoolFiles(folder.path)
  const counts: LogCounts = {
    lostBytes: { bound: 0, disk: 0, refused: 0 },
    pushes: { ok: 0, refused: 0, retry: 0 },
    bytesMax,
    unsentBytes: () => files.unsent(),
  }
  const spool = openSpool({ files, bytesMax, onLost: (reason, bytes) => (counts.lostBytes[reason] += bytes) })
  let shipper: Shipper | undefined
  let closed = false
  return {
    counts,
    keep(line) {
      if (!closed) spool.keep(line)
    },
    start(logger) {
      let toldAt = -Infinity
      const own = {
        source: folder,
        files,
        push: lokiPush(url),
        current: () => spool.current(),
        onPushed: ({ kind }: { kind: 'ok' | 'refused' | 'retry' }) => counts.pushes[kind]++,
        onRefused(bytes: number, reason: string) {
          counts.lostBytes.refused += bytes
          // Not of each: where Loki refuses all lines, it refuses this one too.
          if (performance.now() - toldAt < REFUSAL_TOLD_EVERY_MS) return
          toldAt = performance.now()
          logger.warn({ reason }, 'Loki refused a log line')
        },
      }
      const onChange = (trouble: string | null): void => {
        if (trouble === null) logger.info('log lines reach Loki again')
        else logger.warn({ reason: trouble }, 'log lines cannot be shipped to Loki; they are kept')
      }
      const onSkipped = (path: string, reason: string): void =>
        logger.warn({ folder: path, reason }, 'log lines that a process left cannot be read')
      shipper = startShipper({ own, root, onChange, onSkipped, pauses })
    },
    async close(flushMs) {
      await shipper?.stop(flushMs)
      closed = true
      spool.close()
      folder.release()
    },
  }
}
