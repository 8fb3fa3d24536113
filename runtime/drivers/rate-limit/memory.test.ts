import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Problem } from '#shared/errors.ts'
import { memoryRateLimit } from './memory.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('each client has its quota, is told what is left of it, and has it again after the time', async () => {
  const limit = memoryRateLimit({ points: 2, durationMs: 60_000 })
  expect(await limit('a')).toEqual({ 'RateLimit-Policy': '"default";q=2;w=60', RateLimit: '"default";r=1;t=60' })
  expect((await limit('a')).RateLimit).toBe('"default";r=0;t=60')
  await vi.advanceTimersByTimeAsync(20_500)
  const refused = await limit('a').catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(Problem)
  expect(refused).toMatchObject({
    code: 'too-many-requests',
    message: 'At most 2 requests in 60 seconds are allowed.',
    headers: { 'Retry-After': '40', RateLimit: '"default";r=0;t=40', 'RateLimit-Policy': '"default";q=2;w=60' },
  })
  expect((await limit('b')).RateLimit).toBe('"default";r=1;t=60')
  await vi.advanceTimersByTimeAsync(40_000)
  expect((await limit('a')).RateLimit).toBe('"default";r=1;t=60')
})
