/** Structured logs: one JSON line each on stdout (pino), and kept for Loki where that is wanted. */
import { destination, type DestinationStream, pino, type Logger as Pino } from 'pino'
import type { Logger } from '#shared/bindings.ts'
import { KIB, MIB } from '#shared/limits.ts'
import type { Config } from '../runtime/config.ts'

export type RootLogger = Pino

/** pino begins each line with its level, of which 40 is a warning, 50 an error, 60 the end. */
function isUrgent(line: string): boolean {
  return line.charAt('{"level":'.length) >= '4'
}

/** A turn that logs more leaves its lines earlier. */
const TURN_CHARS = 64 * KIB

/** Bytes of lines that stdout did not take, as on a full disk: they leave with the next that it takes, what is beyond is lost. */
const UNTAKEN_BYTES_MAX = 4 * MIB

/** What has lines that still wait for the end of their turn. */
const waiting = new Set<() => void>()
process.on('exit', () => waiting.forEach((leave) => leave()))

/**
 * A write costs more than all else of a line: those of one turn of the event loop leave in one. A warning leaves at once,
 * and all before it: it may be the last word of a process that dies. Each line is kept first: one that anyone saw
 * reaches Loki, whatever becomes of the process.
 */
function byTurn(keep: ((line: string) => void) | undefined): DestinationStream {
  const stdout = destination({ fd: 1, sync: true, maxLength: UNTAKEN_BYTES_MAX })
  // A line costs no process. Nobody could be told of it but by a line.
  stdout.on('error', () => undefined)
  let lines = ''
  const leave = (): void => {
    waiting.delete(leave)
    if (lines !== '') stdout.write(lines)
    lines = ''
  }
  return {
    write(line) {
      keep?.(line)
      lines += line
      if (isUrgent(line) || lines.length >= TURN_CHARS) return leave()
      if (waiting.has(leave)) return
      waiting.add(leave)
      setImmediate(leave)
    },
  }
}

/** `keep` takes each line with its newline. */
export function createLogger(
  config: Pick<Config, 'LOG_LEVEL' | 'WORKER_ID' | 'APP_VERSION'>,
  keep?: (line: string) => void,
): RootLogger {
  const base = config.WORKER_ID ? { worker: config.WORKER_ID } : {}
  const timestamp = (): string => `,"time":"${new Date().toISOString()}"`
  return pino({ level: config.LOG_LEVEL, base, timestamp }, byTurn(keep))
}

/** The logger of one invocation: every line of it carries `fields`. */
export function invocationLogger(root: RootLogger, fields: () => Record<string, unknown>): Logger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, more?: Record<string, unknown>) => {
    if (root.isLevelEnabled(level)) root[level]({ ...fields(), ...more }, message)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
