import { describe } from 'vitest'
import { memoryCache } from '../../runtime/drivers/cache/memory.ts'
import { redisCache } from '../../runtime/drivers/cache/redis.ts'
import { redisServer } from '../servers/redis.ts'
import { describeCache } from './cache.ts'
import { testRedis } from './redis-kit.ts'

describeCache('memory', async () => ({
  cache: memoryCache({ maxEntries: 100 }),
  [Symbol.asyncDispose]: async () => {},
}))

const url = await redisServer()

describe.skipIf(url === null)('with a Redis', () => {
  describeCache('redis', async () => {
    const opened = await testRedis(url!)
    const cache = redisCache(opened)
    return {
      cache,
      async [Symbol.asyncDispose]() {
        cache.close()
        await opened[Symbol.asyncDispose]()
      },
    }
  })
})
