/** Fetching what strangers name: sources and callbacks. */
import type { GuardedFetch } from '#shared/bindings.ts'
import type { Exchange } from './exchange.ts'
import { addressGuard, type Lookup } from './guard.ts'

export interface UndiciFetchOptions {
  /**
   * What is open besides public addresses: a host name, `*.example.com` (its subdomains), an address, a CIDR; all but
   * the last may end with `:port`. Throws on anything else.
   */
  allowHosts: readonly string[]
  /** Instead of node:dns. */
  lookup?: Lookup
}

export interface ClosableFetch extends GuardedFetch {
  close(): Promise<void>
}

/**
 * Redirects are followed for GET alone; the caller's headers stay with the origin they were meant for. A POST's 3xx is
 * returned. The whole exchange, body included, ends with the signal or after SOURCE_FETCH_MS. No cookies, no proxy of
 * the environment, no decompression.
 */
export function undiciFetch({ allowHosts, lookup }: UndiciFetchOptions): ClosableFetch {
  const guard = addressGuard(allowHosts, lookup)
  let opening: Promise<Exchange> | undefined

  async function open(): Promise<Exchange> {
    const { openExchange } = await import('./exchange.ts')
    return openExchange(guard)
  }

  return {
    refusal: (url) => guard.refusal(url),
    request: async (url, init) => await (await (opening ??= open())).request(url, init),
    close: async () => {
      await (await opening)?.close()
    },
  }
}
