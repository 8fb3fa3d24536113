/** Who may call: API keys, signed links, and the rules of a server that has no key. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Caller } from '#shared/bindings.ts'
import type { LinkSigner } from '#shared/edge.ts'
import { Problem } from '#shared/errors.ts'

const LOCAL_HOST = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function presentedKey(headers: Headers): string | null {
  return headers.get('x-api-key') ?? /^bearer\s+(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1] ?? null
}

function unauthorized(detail: string): Problem {
  return new Problem('unauthorized', detail, { headers: { 'WWW-Authenticate': 'Bearer realm="revela"' } })
}

export interface Access {
  /** Without keys: only this machine's own names, and nothing changed by a page of another site. Throws Problem. */
  checkSite(request: Request): void
  /** Throws Problem `unauthorized` or `link-invalid`. */
  callerOf(request: Request, auth: 'key' | 'link'): Caller
}

/** `anyHost`: AUTH=platform, where requests come by the platform's names, and it has asked who is calling. */
export function createAccess(apiKeys: readonly string[], links: LinkSigner, anyHost = false): Access {
  const keys = apiKeys.map(digest)
  const keyCaller = (key: string): Caller => {
    const given = digest(key)
    // Every key is compared, whichever fits: the time tells nothing.
    const fits = keys.filter((right) => timingSafeEqual(right, given)).length > 0
    if (!fits) throw unauthorized('The API key is not one of this server.')
    return { kind: 'key', keyId: given.toString('hex', 0, 8) }
  }
  return {
    checkSite({ headers, method }) {
      if (keys.length > 0) return
      const host = headers.get('host') ?? ''
      if (!anyHost && !LOCAL_HOST.test(host)) {
        const detail = 'Without API_KEY this server answers to localhost, 127.0.0.1 and [::1]'
        throw new Problem('misdirected-request', `${detail}, not to "${host.slice(0, 100)}".`)
      }
      if (SAFE.has(method) || headers.get('sec-fetch-site') !== 'cross-site') return
      throw new Problem('cross-site', 'A page of another site may not change anything on a server without API_KEY.')
    },
    callerOf({ headers, url }, auth) {
      if (keys.length === 0) return { kind: 'open' }
      const key = presentedKey(headers)
      if (key !== null) return keyCaller(key)
      if (auth === 'key') throw unauthorized('Expected an API key as X-API-Key or Authorization: Bearer; none came.')
      const link = links.check(new URL(url))
      if (link.kind === 'valid') return { kind: 'link', expiresAt: link.expiresAt }
      if (link.kind === 'unsigned') return { kind: 'anonymous' }
      throw new Problem('link-invalid', 'The link is altered or its time is over. Read the task again for a fresh one.')
    },
  }
}
