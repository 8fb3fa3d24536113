/** A rate limit of one process (rate-limiter-flexible). */
import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { RateLimit } from '#shared/edge.ts'
import { type Rate, rateLimitOf } from './limit.ts'

export function memoryLimiter({ points, durationMs }: Rate): RateLimiterMemory {
  return new RateLimiterMemory({ points, duration: durationMs / 1_000 })
}

export function memoryRateLimit(rate: Rate): RateLimit {
  return rateLimitOf(memoryLimiter(rate), rate)
}
