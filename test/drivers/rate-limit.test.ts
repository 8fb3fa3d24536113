import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { memoryRateLimit } from '../../runtime/drivers/rate-limit/memory.ts'
import { redisRateLimit } from '../../runtime/drivers/rate-limit/redis.ts'
import { hasOwnRedis, ownRedis, redisServer } from '../servers/redis.ts'
import { describeRateLimit } from './rate-limit.ts'
import { testRedis } from './redis-kit.ts'

describeRateLimit('memory', async (rate) => ({
  rateLimit: memoryRateLimit(rate),
  [Symbol.asyncDispose]: async () => {},
}))

const url = await redisServer()

describe.skipIf(url === null)('with a Redis', () => {
  describeRateLimit('redis', async (rate) => {
    const opened = await testRedis(url!)
    const rateLimit = redisRateLimit(rate, opened)
    return { rateLimit, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() }
  })

  test('processes share what is left', async () => {
    await using one = await testRedis(url!)
    await using other = await testRedis(url!, one.prefix)
    const rate = { points: 2, durationMs: 3_600_000 }
    const limits = [redisRateLimit(rate, one), redisRateLimit(rate, other)]
    for (const limit of limits) await limit('a')
    for (const limit of limits) await expect(limit('a')).rejects.toMatchObject({ code: 'too-many-requests' })
  })
})

describe.skipIf(!hasOwnRedis())('a Redis that goes away', () => {
  const rate = { points: 3, durationMs: 3_600_000 }

  test.each(['kill', 'freeze'] as const)('%s: each process counts for itself, until it is back', async (how) => {
    await using server = (await ownRedis())!
    await using opened = await testRedis(server.uri)
    const limit = redisRateLimit(rate, opened)
    expect((await limit('a')).RateLimit).toContain('r=2')
    await server[how]()
    for (const left of [2, 1, 0]) expect((await limit('a')).RateLimit).toContain(`r=${left}`)
    await expect(limit('a')).rejects.toMatchObject({ code: 'too-many-requests' })
    if (how === 'freeze') server.thaw()
    else await server.start()
    const counted = async (): Promise<string | null> => {
      const client = randomUUID()
      await limit(client)
      return await opened.client.get(`${opened.prefix}:${client}`).catch(() => null)
    }
    await expect.poll(counted).toBe('1')
  })
})
