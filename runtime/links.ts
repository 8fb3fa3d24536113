/** Signed links: an HMAC-SHA-256 over path and end of validity, equal for all who ask within one window. */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Links } from '#shared/bindings.ts'
import type { Config } from './config.ts'
import { LINK_WINDOW_MS } from './limits.ts'

export type LinkCheck = { kind: 'unsigned' } | { kind: 'valid'; expiresAt: number } | { kind: 'invalid' }

export interface LinkSigner extends Links {
  /** Judges `exp` and `sig` of a request's URL. */
  check(url: URL, now?: number): LinkCheck
}

function signature(key: string, path: string, expires: number): Buffer {
  return createHmac('sha256', key).update(`${path}\n${expires}`).digest()
}

/** SIGNING_KEYS, or a key derived (HKDF, RFC 5869) from the first API_KEY, so that the key itself signs nothing. */
export function signingKeys(config: Pick<Config, 'API_KEY' | 'SIGNING_KEYS'>): readonly string[] {
  if (config.SIGNING_KEYS?.length) return config.SIGNING_KEYS
  const first = config.API_KEY?.[0]
  return first ? [Buffer.from(hkdfSync('sha256', first, '', 'revela signed links', 32)).toString('base64url')] : []
}

export function createLinks(config: Pick<Config, 'API_KEY' | 'SIGNING_KEYS' | 'LINK_TTL' | 'PUBLIC_URL'>): LinkSigner {
  const keys = config.API_KEY ? signingKeys(config) : []
  const base = config.PUBLIC_URL ?? ''
  const signed = (path: string, isPublic: boolean): string => {
    const key = keys[0]
    if (key === undefined || isPublic) return base + path
    const expires = (Math.ceil(Date.now() / LINK_WINDOW_MS) * LINK_WINDOW_MS + config.LINK_TTL) / 1_000
    return `${base}${path}?exp=${expires}&sig=${signature(key, path, expires).toString('base64url')}`
  }
  return {
    of: async ({ id, options, source, variants }) => {
      const isPublic = options.access === 'public'
      const self = `/tasks/${id}`
      return {
        self: base + self,
        events: signed(self, isPublic),
        original: source.key === null ? null : signed(`${self}/original`, isPublic),
        variants: Object.fromEntries(variants.map(({ name }) => [name, signed(`${self}/variants/${name}`, isPublic)])),
      }
    },
    check(url, now = Date.now()) {
      const sig = url.searchParams.get('sig')
      if (sig === null) return { kind: 'unsigned' }
      const expires = Number(url.searchParams.get('exp'))
      const given = Buffer.from(sig, 'base64url')
      const fits = keys.some((key) => {
        const right = signature(key, url.pathname, expires)
        return given.length === right.length && timingSafeEqual(given, right)
      })
      return fits && expires * 1_000 > now ? { kind: 'valid', expiresAt: expires * 1_000 } : { kind: 'invalid' }
    },
  }
}
