/** A rate limit that all processes share (rate-limiter-flexible). While Redis is away, each counts for itself. */
import { RateLimiterRedis } from 'rate-limiter-flexible'
import type { RateLimit } from '#shared/edge.ts'
import type { RedisConnections } from '../redis/connections.ts'
import { type Rate, rateLimitOf } from './limit.ts'
import { memoryLimiter } from './memory.ts'

export interface RedisRateLimitOptions {
  redis: Pick<RedisConnections, 'aside'>
  /** Of all keys. */
  prefix?: string
}

async function open(rate: Rate, { redis, prefix = 'revela:rate' }: RedisRateLimitOptions): Promise<RateLimit> {
  const { points, durationMs } = rate
  const limiter = new RateLimiterRedis({
    storeClient: await redis.aside(),
    keyPrefix: prefix,
    points,
    duration: durationMs / 1_000,
    // One whose quota is used up is refused without asking again: a flood must not reach Redis.
    inMemoryBlockOnConsumed: points + 1,
    insuranceLimiter: memoryLimiter(rate),
    rejectIfRedisNotReady: true,
  })
  return rateLimitOf(limiter, rate)
}

export function redisRateLimit(rate: Rate, options: RedisRateLimitOptions): RateLimit {
  let opening: Promise<RateLimit> | undefined
  return async (client) => await (await (opening ??= open(rate, options)))(client)
}
