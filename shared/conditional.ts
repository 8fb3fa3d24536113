/** Conditional requests (RFC 9110 §13). */
import { Problem } from './errors.ts'
import { SECOND_MS } from './limits.ts'
import { shown } from './options/faults.ts'

/** `If-None-Match`, by weak comparison: true when the header names this tag, or is `*`. */
export function namesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header.trim() === '*') return true
  return [...header.matchAll(/"[^"]*"/g)].some(([tag]) => tag === etag)
}

/** `If-Match`, by strong comparison (§8.8.3.2): what is sent as weak names nothing. `*` names whatever is there. */
export function namesStrongly(header: string, etag: string): boolean {
  if (header.trim() === '*') return true
  return [...header.matchAll(/(?:W\/)?"[^"]*"/g)].some(([tag]) => tag === etag)
}

/** The form that is sent today, that of RFC 850, and that of C's asctime(). */
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, (?<day>\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^[A-Z][a-z]{5,8}, (?<day>\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\d{2}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/,
]
/** Further ahead no year of two digits is. */
const YEARS_AHEAD_MAX = 50

/** Unix seconds; null for a day that no month has, and for a time that no day has. */
function utcSeconds(year: number, { month, day, time }: Record<string, string>): number | null {
  const ms = Date.parse(`${day} ${month} ${year} ${time} GMT`)
  return new Date(ms).getUTCDate() === Number(day) ? ms / SECOND_MS : null
}

/** Unix seconds of an HTTP date in any of the three forms (§5.6.7); null for anything else, which is then ignored. */
export function httpDateSeconds(header: string | undefined, now = new Date()): number | null {
  const parts = HTTP_DATES.map((form) => form.exec(header ?? '')?.groups).find((groups) => groups !== undefined)
  if (!parts) return null
  const year = Number(parts['year'])
  if (parts['year']!.length === 4) return utcSeconds(year, parts)
  const ahead = new Date(now)
  ahead.setUTCFullYear(now.getUTCFullYear() + YEARS_AHEAD_MAX)
  const latest = ahead.getUTCFullYear()
  const nearest = latest - ((latest - year) % 100)
  const seconds = utcSeconds(nearest, parts)
  return seconds !== null && seconds * SECOND_MS > ahead.getTime() ? utcSeconds(nearest - 100, parts) : seconds
}

/** What is there now. */
export interface Validators {
  etag: string
  /** Unix ms. */
  lastModified: number
}

/** Whether a method that changes something may be refused for what is there, so that this need be looked up. */
export function isConditional(request: Headers): boolean {
  return ['if-match', 'if-unmodified-since', 'if-none-match'].some((name) => request.has(name))
}

/**
 * `If-Match`, and `If-Unmodified-Since` where that is not sent (§13.2.2, steps 1 and 2): Problem `precondition-failed`,
 * with `headers`, when what is there is not what the client has. To be asked before `If-None-Match` and `Range`, and only
 * where the answer would be a good one.
 */
export function refuseChanged(request: Headers, now: Validators, headers: Record<string, string> = {}): void {
  const names = request.get('if-match')
  if (names !== null) {
    if (namesStrongly(names, now.etag)) return
    throw new Problem('precondition-failed', `Expected If-Match to name ${now.etag}, got ${shown(names)}.`, { headers })
  }
  const date = request.get('if-unmodified-since') ?? undefined
  const since = httpDateSeconds(date)
  if (since === null || Math.floor(now.lastModified / SECOND_MS) <= since) return
  const detail = `Expected nothing newer than ${date}, got a change of ${new Date(now.lastModified).toUTCString()}.`
  throw new Problem('precondition-failed', detail, { headers })
}

/**
 * `If-None-Match` of a method that changes something (§13.2.2, step 3), to be asked after `refuseChanged`: what a GET
 * answers with 304 is Problem `precondition-failed` here.
 */
export function refuseNamed(request: Headers, { etag }: Pick<Validators, 'etag'>): void {
  const names = request.get('if-none-match')
  if (names === null || !namesEtag(names, etag)) return
  throw new Problem('precondition-failed', `Expected nothing that If-None-Match names, got ${etag}.`)
}
