/** A spool folder, and processes that write lines to it and ship them. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Level, pino } from 'pino'
import { MIB } from '#shared/limits.ts'
import { type Logs, openLogs } from '../../telemetry/logs.ts'

interface LineOptions {
  level?: Level
  ms?: number
  fn?: string
  more?: object
}

/** A line as the logger writes it. */
export function lineOf(
  what: string,
  { level = 'info', ms = 1_700_000_000_000, fn = 'get-task', more = {} }: LineOptions = {},
): string {
  let text = ''
  const timestamp = (): string => `,"time":"${new Date(ms).toISOString()}"`
  const logger = pino({ base: {}, timestamp }, { write: (line: string) => void (text = line) })
  logger[level]({ function: fn, task: `task-${what}`, ...more }, what)
  return text
}

/** The messages of lines. */
export const messages = (lines: readonly string[]): string[] =>
  lines.map((line) => (JSON.parse(line) as { msg: string }).msg)
export const numbered = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `line ${from + i}`)

interface Kept extends AsyncDisposable {
  logs: Logs
  told: { level: string; reason: unknown }[]
  /** Folders that a warning named. */
  skipped: unknown[]
}

interface Scene extends AsyncDisposable {
  root: string
  open(url: string, options?: { bytesMax?: number; service?: string; adoptMs?: number; start?: boolean }): Kept
  /** Files with lines, of all folders. */
  files(): Promise<string[]>
}

export async function spoolScene(): Promise<Scene> {
  const root = await mkdtemp(join(tmpdir(), 'revela-spool-'))
  return {
    root,
    open(url, { bytesMax = MIB, service = 'worker', adoptMs = 20, start = true } = {}) {
      const logs = openLogs({ url, root, bytesMax, service, pauses: { everyMs: 5, backoffMs: 5, adoptMs } })
      const told: Kept['told'] = []
      const skipped: unknown[] = []
      const tell = (level: string) => (fields: unknown) => {
        const { reason, folder } = fields as { reason?: unknown; folder?: unknown }
        told.push({ level, reason })
        if (folder !== undefined) skipped.push(folder)
      }
      if (start) logs.start({ warn: tell('warn'), info: tell('info') })
      return { logs, told, skipped, [Symbol.asyncDispose]: async () => await logs.close(2_000) }
    },
    async files() {
      return (await readdir(root, { recursive: true })).filter((name) => name.endsWith('.ndjson'))
    },
    async [Symbol.asyncDispose]() {
      await rm(root, { recursive: true, force: true })
    },
  }
}
