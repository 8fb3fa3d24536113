/** A kept line as Loki takes it. Task, trace and the rest stay in the line: as labels they would be without bound. */
import { FUNCTION_LABELS_MAX } from './limits.ts'

export interface Entry {
  /** Unix ns. */
  ns: string
  line: string
  level: string
  /** The label `function`; empty when there is none. */
  fn: string
  /** Unix ms. */
  ms: number
  /** Where the next line begins in its file. */
  end: number
}

// What the logger writes first. Nothing in it comes from a function, whatever fields that gives its lines.
const HEAD = /^\{"level":(\d+),"time":"([^"]+)"/
// Inside a JSON string its quotes would be escaped: this is a key.
const FUNCTION = /"function":"([a-z][a-z0-9-]{0,62})"/
const LEVELS: Record<string, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

const functions = new Set<string>()

function functionOf(line: string): string {
  const name = FUNCTION.exec(line)?.[1] ?? ''
  if (functions.size < FUNCTION_LABELS_MAX) functions.add(name)
  return functions.has(name) ? name : ''
}

/**
 * The line's place in its file makes the nanoseconds: lines of one millisecond stay in order, but where a new file
 * begins in the middle of it; and one that is pushed again is the same entry again, which Loki keeps once. `lastMs` is
 * for a line that a kill cut short.
 */
export function entryOf(line: string, { start, end }: { start: number; end: number }, lastMs: number): Entry {
  const [, level = '', time = ''] = HEAD.exec(line) ?? []
  const parsed = Date.parse(time)
  const ms = Number.isNaN(parsed) ? lastMs : parsed
  // No two lines begin within 16 bytes of each other, and a file has fewer than 16 million.
  const sub = Math.floor(start / 16) % 1_000_000
  const ns = `${ms}${String(sub).padStart(6, '0')}`
  return { ns, line, level: LEVELS[level] ?? 'unknown', fn: functionOf(line), ms, end }
}
