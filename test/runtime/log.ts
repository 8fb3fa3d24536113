/** A logger whose lines a test can read and wait for. */
import { pino } from 'pino'
import type { RootLogger } from '../../console/logger.ts'
import { until } from './until.ts'

export type LogLine = Record<string, unknown>

export interface Recorded {
  logger: RootLogger
  lines: LogLine[]
  /** The first line, past or to come, that the condition takes. */
  line(what: string, condition: (line: LogLine) => boolean): Promise<LogLine>
}

export function recordedLog(): Recorded {
  const lines: LogLine[] = []
  const logger = pino(
    { level: 'debug', base: {} },
    { write: (text: string) => void lines.push(JSON.parse(text) as LogLine) },
  )
  return {
    logger,
    lines,
    line: async (what, condition) => await until(`log line: ${what}`, () => lines.find(condition)),
  }
}
