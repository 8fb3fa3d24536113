/** What stands beside tasks and messages on a cloud: cache, rate limit, and news of changes. */
import type { Cache } from '#shared/bindings.ts'
import type { RateLimit } from '#shared/edge.ts'
import type { Config } from '../runtime/config.ts'
import { noCache } from '../runtime/drivers/cache/none.ts'
import { memoryRateLimit } from '../runtime/drivers/rate-limit/memory.ts'
import type { Notifier } from '../runtime/drivers/tasks/notifier.ts'

export interface Beside {
  cache: Cache
  rateLimit: RateLimit | null
  notifier?: Notifier
  close(): void
}

/** Each instance for itself: none may keep what another deletes. */
function alone({ RATE_LIMIT }: Config): Beside {
  return {
    cache: noCache(),
    rateLimit: RATE_LIMIT ? memoryRateLimit(RATE_LIMIT) : null,
    close: () => {},
  }
}

/** In Redis where there is one: then all instances have the same, and hear of changes at once. Else each has its own. */
export async function openBeside(config: Config, onError: (error: unknown) => void): Promise<Beside> {
  const { REDIS_URL: url, REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password } = config
  const { inRedis } = url || host ? await import('./beside-redis.ts') : { inRedis: null }
  if (!inRedis) return alone(config)
  return inRedis(url ? { url, password } : { host: host!, port, password }, config, onError)
}
