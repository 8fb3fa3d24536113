/** A rate limit of rate-limiter-flexible, told as RateLimit fields and problems. */
import type { RateLimit } from '#shared/edge.ts'
import { Problem } from '#shared/errors.ts'

export interface Rate {
  points: number
  durationMs: number
}

interface Outcome {
  remainingPoints: number
  msBeforeNext: number
}

interface Limiter {
  consume(client: string): Promise<Outcome>
}

export function rateLimitOf(limiter: Limiter, { points, durationMs }: Rate): RateLimit {
  const seconds = durationMs / 1_000
  const fields = ({ remainingPoints, msBeforeNext }: Outcome): Record<string, string> => ({
    'RateLimit-Policy': `"default";q=${points};w=${seconds}`,
    RateLimit: `"default";r=${remainingPoints};t=${Math.ceil(msBeforeNext / 1_000)}`,
  })
  return async (client) => {
    try {
      return fields(await limiter.consume(client))
    } catch (refused) {
      // The library rejects with an outcome, not an Error, when the quota is used up.
      if (refused instanceof Error) throw refused
      const outcome = refused as Outcome
      const headers = { ...fields(outcome), 'Retry-After': String(Math.ceil(outcome.msBeforeNext / 1_000)) }
      throw new Problem('too-many-requests', `At most ${points} requests in ${seconds} seconds are allowed.`, {
        headers,
      })
    }
  }
}
