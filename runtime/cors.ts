/** Cross-origin rules (Fetch standard): which origins may read answers, and the preflight's answer. */
import type { Config } from './config.ts'

const LOCAL_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/
const ALLOWED =
  'Authorization, X-API-Key, Content-Type, Idempotency-Key, Prefer, If-None-Match, If-Match, If-Modified-Since, If-Unmodified-Since, If-Range, Range, Last-Event-ID, traceparent'
const EXPOSED =
  'Location, ETag, Retry-After, Preference-Applied, Idempotent-Replayed, Link, Content-Range, RateLimit, RateLimit-Policy, traceparent'
const PREFLIGHT_SECONDS = 600

export interface Cors {
  /** False where no answer depends on the origin. */
  active: boolean
  /** True where CORS_ORIGINS is set: then every answer tells caches so. In development only those that are asked for. */
  listed: boolean
  /** Headers for an answer to this origin, and for a preflight's where methods are given; none when it is not allowed. */
  headers(origin: string, methods?: readonly string[]): Record<string, string>
}

/** CORS_ORIGINS; in development, where it is unset, every origin of this machine. */
export function createCors({ CORS_ORIGINS: listed, NODE_ENV }: Pick<Config, 'CORS_ORIGINS' | 'NODE_ENV'>): Cors {
  const local = NODE_ENV !== 'production'
  const allows = (origin: string): boolean =>
    listed ? listed.includes(origin) || listed.includes('*') : local && LOCAL_ORIGIN.test(origin)
  return {
    active: listed !== undefined || local,
    listed: listed !== undefined,
    headers(origin, methods) {
      if (!allows(origin)) return {}
      const own = { 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED }
      if (!methods) return own
      const max = { 'Access-Control-Max-Age': String(PREFLIGHT_SECONDS) }
      return {
        ...own,
        ...max,
        'Access-Control-Allow-Methods': methods.join(', '),
        'Access-Control-Allow-Headers': ALLOWED,
      }
    },
  }
}
