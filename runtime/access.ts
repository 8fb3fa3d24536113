/** Who may call: API keys, signed links, and the rules of a server that has no key. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Caller } from '#shared/bindings.ts'
import type { LinkSigner } from '#shared/edge.ts'
import { Problem } from '#shared/errors.ts'
import type { Config } from './config.ts'

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function presentedKey(headers: Headers): string | null {
  const key = headers.get('x-api-key')
  if (key !== null) return key
  const [, bearer] = /^bearer\s+(\S+)$/i.exec(headers.get('authorization') ?? '') ?? []
  return bearer ?? null
}

const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i

export function unauthorized(detail: string): Problem {
  return new Problem('unauthorized', detail, { headers: { 'WWW-Authenticate': 'Bearer realm="revela"' } })
}

export interface Access {
  /** Without keys: only this machine's own names, and nothing changed by a page of another site. Throws Problem. */
  checkSite(request: Request): void
  /** Throws Problem `unauthorized` or `link-invalid`. */
  callerOf(request: Request, auth: 'key' | 'link'): Caller
}

export function createAccess(config: Pick<Config, 'API_KEY'>, links: LinkSigner): Access {
  const keys = (config.API_KEY ?? []).map(digest)
  const keyCaller = (key: string): Caller => {
    const given = digest(key)
    // Every key is compared, whichever fits: the time tells nothing.
    const fitting = keys.filter((right) => timingSafeEqual(right, given))
    if (!fitting[0]) throw unauthorized('The API key is not one of this server.')
    return { kind: 'key', keyId: given.toString('hex', 0, 8) }
  }
  return {
    checkSite(request) {
      if (keys.length > 0) return
      const host = request.headers.get('host') ?? ''
      if (!LOCAL_HOST.test(host))
        throw new Problem(
          'misdirected-request',
          `Without API_KEY this server answers to localhost, 127.0.0.1 and [::1], not to "${host.slice(0, 100)}".`,
        )
      const safe = request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS'
      if (!safe && request.headers.get('sec-fetch-site') === 'cross-site') {
        throw new Problem('cross-site', 'A page of another site may not change anything on a server without API_KEY.')
      }
    },
    callerOf(request, auth) {
      if (keys.length === 0) return { kind: 'open' }
      const key = presentedKey(request.headers)
      if (key !== null) return keyCaller(key)
      if (auth === 'key') throw unauthorized('An API key is expected as X-API-Key or Authorization: Bearer; none came.')
      const link = links.check(new URL(request.url))
      if (link.kind === 'invalid')
        throw new Problem(
          'link-invalid',
          'The signature of this link is altered or its time is over. Read the task again for a fresh one.',
        )
      return link.kind === 'valid' ? { kind: 'link', expiresAt: link.expiresAt } : { kind: 'anonymous' }
    },
  }
}
