/** Structured logs: one JSON line each on stdout (pino). */
import { destination, pino, type Logger as Pino } from 'pino'
import type { Logger } from '#shared/bindings.ts'
import type { Config } from './config.ts'

export type RootLogger = Pino

export function createLogger(config: Pick<Config, 'LOG_LEVEL' | 'WORKER_ID' | 'APP_VERSION'>): RootLogger {
  const base = config.WORKER_ID ? { worker: config.WORKER_ID } : {}
  return pino(
    { level: config.LOG_LEVEL, base, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    destination({ fd: 1, sync: true }),
  )
}

/** The logger of one invocation: every line of it carries `fields`. */
export function invocationLogger(root: RootLogger, fields: () => Record<string, unknown>): Logger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, more?: Record<string, unknown>) => {
    if (root.isLevelEnabled(level)) root[level]({ ...fields(), ...more }, message)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
