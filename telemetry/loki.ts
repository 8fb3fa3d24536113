/** Loki's push API: POST /loki/api/v1/push, in JSON (grafana.com/docs/loki/latest/reference/loki-http-api). */
import { retryAfterMs } from '#shared/verdict.ts'
import type { Entry } from './entry.ts'
import { PUSH_RETRY_AFTER_MAX_MS, PUSH_TIMEOUT_MS } from './limits.ts'

export interface Source {
  service: string
  replica: string
}

/** `refused`: it is about these lines, and would be the same tomorrow. `retry`: everything else, a wrong address too. */
export type Pushed =
  | { kind: 'ok' }
  | { kind: 'refused'; reason: string }
  | { kind: 'retry'; reason: string; afterMs: number }

export type Push = (source: Source, entries: readonly Entry[], signal: AbortSignal) => Promise<Pushed>

/** Characters of Loki's own words that are passed on. */
const REASON_MAX = 300
/** 400: a line is too long, too old or too far behind. 413: together they are too much. */
const ABOUT_THE_LINES = new Set([400, 413])

interface Stream {
  stream: Record<string, string>
  /** Time and line. */
  values: [string, string][]
}

/** Labels of few values, each with its lines in order. */
function streamsOf({ service, replica }: Source, entries: readonly Entry[]): Stream[] {
  const streams = new Map<string, Stream>()
  for (const { ns, line, level, fn } of entries) {
    const key = `${level} ${fn}`
    const labels = { service, replica, level, ...(fn ? { function: fn } : {}) }
    const stream: Stream = streams.get(key) ?? { stream: labels, values: [] }
    streams.set(key, stream)
    stream.values.push([ns, line])
  }
  return [...streams.values()]
}

/** `url` is Loki's, such as http://loki:3100; user and password in it become Basic authentication. */
export function lokiPush(url: string): Push {
  const { username, password, origin, pathname } = new URL(url)
  const target = `${origin}${pathname.replace(/\/$/, '')}/loki/api/v1/push`
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  const headers = {
    'Content-Type': 'application/json',
    ...(username ? { Authorization: `Basic ${basic}` } : {}),
  }
  return async (source, entries, signal) => {
    try {
      const response = await fetch(target, {
        method: 'POST',
        headers,
        body: JSON.stringify({ streams: streamsOf(source, entries) }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(PUSH_TIMEOUT_MS)]),
      })
      const text = await response.text()
      if (response.ok) return { kind: 'ok' }
      const reason = `${response.status}: ${text.slice(0, REASON_MAX).trim()}`
      if (ABOUT_THE_LINES.has(response.status)) return { kind: 'refused', reason }
      const askedMs = retryAfterMs(response.headers.get('retry-after')) ?? 0
      return { kind: 'retry', reason, afterMs: Math.min(askedMs, PUSH_RETRY_AFTER_MAX_MS) }
    } catch (error) {
      const { cause, message } = error as Error
      return { kind: 'retry', reason: cause instanceof Error ? cause.message : message, afterMs: 0 }
    }
  }
}
