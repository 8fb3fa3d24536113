/** Loaded where a Redis is named: its client is none of the bundle's weight elsewhere. */
import type { Config } from '../runtime/config.ts'
import { redisCache } from '../runtime/drivers/cache/redis.ts'
import { redisRateLimit } from '../runtime/drivers/rate-limit/redis.ts'
import { openRedis, type RedisAddress } from '../runtime/drivers/redis/connections.ts'
import { redisNotifier } from '../runtime/drivers/tasks/redis-notifier.ts'
import type { Beside } from './beside.ts'

export function inRedis(address: RedisAddress, { RATE_LIMIT }: Config, onError: (error: unknown) => void): Beside {
  const redis = openRedis(address, onError)
  const cache = redisCache({ redis })
  const notifier = redisNotifier({ redis })
  return {
    cache,
    notifier,
    rateLimit: RATE_LIMIT ? redisRateLimit(RATE_LIMIT, { redis }) : null,
    close() {
      notifier.close()
      cache.close()
      redis.close()
    },
  }
}
