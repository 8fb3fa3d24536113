/** The runtime's side of links and rate limits: what their drivers offer beside what functions see. */
import type { Links } from './bindings.ts'

export type LinkCheck = { kind: 'unsigned' } | { kind: 'valid'; expiresAt: number } | { kind: 'invalid' }

export interface LinkSigner extends Links {
  /** Judges `exp` (Unix seconds) and `sig` of a request's URL; `now` in Unix ms. */
  check(url: URL, now?: number): LinkCheck
}

/**
 * Counts one request of a client and resolves with the RateLimit fields of its answer
 * (draft-ietf-httpapi-ratelimit-headers); rejects with Problem `too-many-requests` once the quota is used up.
 */
export type RateLimit = (client: string) => Promise<Record<string, string>>
