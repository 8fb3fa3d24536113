/** Structured logs: one JSON line each on stdout (pino), and kept for Loki where that is wanted. */
import { destination, type DestinationStream, pino, type Logger as Pino } from 'pino'
import type { Logger } from '#shared/bindings.ts'
import type { Config } from '../config.ts'

export type RootLogger = Pino

/** Kept first: a line that anyone saw reaches Loki, whatever becomes of the process. */
function both(keep: (line: string) => void, stdout: DestinationStream): DestinationStream {
  return {
    write(line) {
      keep(line)
      stdout.write(line)
    },
  }
}

/** `keep` takes each line with its newline. */
export function createLogger(
  config: Pick<Config, 'LOG_LEVEL' | 'WORKER_ID' | 'APP_VERSION'>,
  keep?: (line: string) => void,
): RootLogger {
  const base = config.WORKER_ID ? { worker: config.WORKER_ID } : {}
  const stdout = destination({ fd: 1, sync: true })
  return pino(
    { level: config.LOG_LEVEL, base, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    keep ? both(keep, stdout) : stdout,
  )
}

/** The logger of one invocation: every line of it carries `fields`. */
export function invocationLogger(root: RootLogger, fields: () => Record<string, unknown>): Logger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, more?: Record<string, unknown>) => {
    if (root.isLevelEnabled(level)) root[level]({ ...fields(), ...more }, message)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
