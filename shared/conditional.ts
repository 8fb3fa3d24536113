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

const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** Unix seconds of an HTTP date; null for anything but the form that clients must send, which is then ignored. */
export function httpDateSeconds(header: string | undefined): number | null {
  if (header === undefined || !IMF_FIXDATE.test(header)) return null
  const ms = Date.parse(header)
  return Number.isNaN(ms) ? null : ms / SECOND_MS
}

/** What is there now. */
export interface Validators {
  etag: string
  /** Unix ms. */
  lastModified: number
}

/** Whether `refuseChanged` may refuse, so that what is there need be looked up. */
export function asksUnchanged(request: Headers): boolean {
  return request.has('if-match') || request.has('if-unmodified-since')
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
