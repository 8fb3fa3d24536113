/** What every guarded fetch does, whichever driver it is. */
import type { LookupAddress, LookupOptions } from 'node:dns'
import { describe } from 'vitest'
import type { GuardedFetch } from '#shared/bindings.ts'
import { exchanging, failing, streaming } from './fetch/exchange.ts'
import { opening, resolving, spelling } from './fetch/guard.ts'
import { redirecting } from './fetch/redirects.ts'

export interface FetchOptions {
  allowHosts: readonly string[]
  /** In place of the resolver. */
  lookup?: (
    hostname: string,
    options: LookupOptions & { all: true },
    callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
  ) => void
}

export type OpenFetch = (options: FetchOptions) => GuardedFetch & AsyncDisposable & { close(): Promise<void> }

export function describeGuardedFetch(name: string, open: OpenFetch): void {
  describe(`guarded fetch: ${name}`, () => {
    spelling(open)
    resolving(open)
    opening(open)
    exchanging(open)
    streaming(open)
    failing(open)
    redirecting(open)
  })
}
