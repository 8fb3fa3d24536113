import type { LinkSigner } from '#shared/edge.ts'
import type { Config } from '../runtime/config.ts'
import { derivedKey, hmacLinks } from '../runtime/drivers/links/hmac.ts'

type LinkConfig = Pick<Config, 'API_KEY' | 'SIGNING_KEYS' | 'LINK_TTL' | 'PUBLIC_URL'>

export function openLinks({ API_KEY, SIGNING_KEYS, LINK_TTL, PUBLIC_URL }: LinkConfig): LinkSigner {
  const keys = API_KEY?.[0] ? (SIGNING_KEYS ?? [derivedKey(API_KEY[0])]) : []
  return hmacLinks({ keys, ttlMs: LINK_TTL, publicUrl: PUBLIC_URL })
}
