import { ConfigError } from '#shared/errors.ts'
import type { Config } from '../../config.ts'

/** A cloud's address is the world's: without keys only a platform that asks who is calling may stand before it. */
export function checkAuth({ API_KEY, AUTH }: Pick<Config, 'API_KEY' | 'AUTH'>): void {
  if (API_KEY || AUTH === 'platform') return
  throw new ConfigError('API_KEY: expected keys, or AUTH=platform where the platform asks who is calling; got neither')
}
