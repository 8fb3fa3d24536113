/** Conditional requests (RFC 9110 §13). */

/** `If-None-Match`, by weak comparison: true when the header names this tag, or is `*`. */
export function namesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header.trim() === '*') return true
  return [...header.matchAll(/"[^"]*"/g)].some(([tag]) => tag === etag)
}

const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** Unix seconds of an HTTP date; null for anything but the form that clients must send, which is then ignored. */
export function httpDateSeconds(header: string | undefined): number | null {
  if (header === undefined || !IMF_FIXDATE.test(header)) return null
  const ms = Date.parse(header)
  return Number.isNaN(ms) ? null : ms / 1_000
}
