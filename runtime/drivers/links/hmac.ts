/** Signed links: an HMAC-SHA-256 over path and end of validity, equal for all who ask within one window. */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { LinkSigner } from '#shared/edge.ts'
import { DAY_MS } from '#shared/limits.ts'

/** Links of the same window are equal: their end is rounded up to this. */
const WINDOW_MS = DAY_MS

/** Unix seconds, as they stand in a link. */
const SECONDS = /^\d+$/

function signature(key: string, path: string, expires: string): string {
  return createHmac('sha256', key).update(`${path}\n${expires}`).digest('base64url')
}

/** Of the texts, not of what they decode to: base64 has many spellings of the same bytes, and an altered link opens nothing. */
function isSame(given: Buffer, right: string): boolean {
  return given.length === right.length && timingSafeEqual(given, Buffer.from(right))
}

/** A signing key derived (HKDF, RFC 5869) from an API key, so that the key itself signs nothing. */
export function derivedKey(apiKey: string): string {
  return Buffer.from(hkdfSync('sha256', apiKey, '', 'revela signed links', 32)).toString('base64url')
}

export interface HmacLinksOptions {
  /** The first signs, all verify; with none, links are unsigned. */
  keys: readonly string[]
  ttlMs: number
  publicUrl: string | undefined
}

export function hmacLinks({ keys, ttlMs, publicUrl = '' }: HmacLinksOptions): LinkSigner {
  const until = (path: string, expiresAt: number): string => {
    const key = keys[0]
    if (key === undefined) return publicUrl + path
    const expires = String(Math.floor(expiresAt / 1_000))
    return `${publicUrl}${path}?exp=${expires}&sig=${signature(key, path, expires)}`
  }
  return {
    of: async ({ id, options, source }, latest = Infinity) => {
      const windowEnd = Math.ceil(Date.now() / WINDOW_MS) * WINDOW_MS
      const end = Math.min(windowEnd + ttlMs, latest)
      const sign = (path: string): string => (options.access === 'public' ? publicUrl + path : until(path, end))
      const self = `/tasks/${id}`
      const hrefs = options.variants.map(({ name }) => [name, sign(`${self}/variants/${name}`)] as const)
      return {
        self: publicUrl + self,
        events: sign(self),
        original: source.key === null ? null : sign(`${self}/original`),
        variants: Object.fromEntries(hrefs),
      }
    },
    sign: async (path, expiresAt) => until(path, expiresAt),
    check(url, now = Date.now()) {
      const [sig, ...more] = url.searchParams.getAll('sig')
      if (sig === undefined) return { kind: 'unsigned' }
      const [expires = '', ...otherEnds] = url.searchParams.getAll('exp')
      const given = Buffer.from(sig)
      const fits = keys.some((key) => isSame(given, signature(key, url.pathname, expires)))
      const expiresAt = SECONDS.test(expires) ? Number(expires) * 1_000 : 0
      const once = more.length === 0 && otherEnds.length === 0
      return once && fits && expiresAt > now ? { kind: 'valid', expiresAt } : { kind: 'invalid' }
    },
  }
}
