/** Cross-origin rules (Fetch standard): which origins may read answers, and the preflight's answer. */
import type { Config } from './config.ts'

const LOCAL_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/
const ALLOWED_HEADERS =
  'Authorization, X-API-Key, Content-Type, Idempotency-Key, Prefer, If-None-Match, If-Range, Range, Last-Event-ID, traceparent'
const EXPOSED_HEADERS =
  'Location, ETag, Retry-After, Preference-Applied, Idempotent-Replayed, Link, Content-Range, RateLimit, RateLimit-Policy, traceparent'
const PREFLIGHT_SECONDS = 600

export interface Cors {
  /** True where answers depend on the origin at all, so that caches must be told. */
  active: boolean
  /** Headers for an answer to this origin; none when it is not allowed. */
  headers(origin: string): Record<string, string>
  preflight(origin: string, methods: readonly string[]): Record<string, string>
}

/** CORS_ORIGINS; in development, where it is unset, every origin of this machine. */
export function createCors(config: Pick<Config, 'CORS_ORIGINS' | 'NODE_ENV'>): Cors {
  const listed = config.CORS_ORIGINS
  const allows = (origin: string): boolean => {
    if (listed) return listed.includes(origin) || listed.includes('*')
    return config.NODE_ENV !== 'production' && LOCAL_ORIGIN.test(origin)
  }
  const headers = (origin: string): Record<string, string> => {
    return allows(origin)
      ? { 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED_HEADERS }
      : {}
  }
  return {
    active: listed !== undefined || config.NODE_ENV !== 'production',
    headers,
    preflight: (origin, methods) =>
      allows(origin)
        ? {
            ...headers(origin),
            'Access-Control-Allow-Methods': methods.join(', '),
            'Access-Control-Allow-Headers': ALLOWED_HEADERS,
            'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
          }
        : {},
  }
}
