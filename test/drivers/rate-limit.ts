/** What every rate limit does, whichever driver it is. */
import { describe, expect, test } from 'vitest'
import type { RateLimit } from '#shared/edge.ts'
import { Problem } from '#shared/errors.ts'

export interface OpenRateLimit extends AsyncDisposable {
  rateLimit: RateLimit
}

export interface Rate {
  points: number
  durationMs: number
}

async function refusalOf(limit: RateLimit, client: string): Promise<Problem> {
  const outcome = await limit(client).catch((error: unknown) => error)
  expect(outcome).toBeInstanceOf(Problem)
  return outcome as Problem
}

/** `open` gives one that has counted nothing yet at each call. */
export function describeRateLimit(name: string, open: (rate: Rate) => Promise<OpenRateLimit>): void {
  describe(`rate limit: ${name}`, () => {
    test('tells what is left, and when it is all there again', async () => {
      await using opened = await open({ points: 2, durationMs: 3_600_000 })
      const policy = { 'RateLimit-Policy': '"default";q=2;w=3600' }
      expect(await opened.rateLimit('a')).toEqual({ ...policy, RateLimit: '"default";r=1;t=3600' })
      expect((await opened.rateLimit('a')).RateLimit).toMatch(/^"default";r=0;t=(3600|359\d)$/)
    })

    test('refuses what is beyond, again and again, and says when to come back', async () => {
      await using opened = await open({ points: 1, durationMs: 3_600_000 })
      await opened.rateLimit('a')
      for (let i = 0; i < 3; i++) {
        const { code, message, headers } = await refusalOf(opened.rateLimit, 'a')
        expect({ code, message }).toEqual({
          code: 'too-many-requests',
          message: 'At most 1 requests in 3600 seconds are allowed.',
        })
        expect(headers['Retry-After']).toMatch(/^(3600|359\d)$/)
        expect(headers['RateLimit']).toBe(`"default";r=0;t=${headers['Retry-After']}`)
      }
    })

    test('counts each client for itself', async () => {
      await using opened = await open({ points: 1, durationMs: 3_600_000 })
      await opened.rateLimit('a')
      await refusalOf(opened.rateLimit, 'a')
      expect((await opened.rateLimit('2001:db8::1')).RateLimit).toContain('r=0')
    })

    test('of many at once it lets through as many as it may', async () => {
      await using opened = await open({ points: 7, durationMs: 3_600_000 })
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => opened.rateLimit('a')))
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(7)
    })

    test('forgets after the time', async () => {
      await using opened = await open({ points: 1, durationMs: 1_000 })
      await opened.rateLimit('a')
      await expect
        .poll(() => opened.rateLimit('a').then(({ RateLimit }) => RateLimit, String))
        .toBe('"default";r=0;t=1')
    })
  })
}
