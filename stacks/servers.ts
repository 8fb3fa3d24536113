/** The production stack: tasks in MongoDB; queue, cache, rate limit and notifications in Redis. */
import type { RateLimit } from '#shared/edge.ts'
import { ConfigError } from '#shared/errors.ts'
import type { Config } from '../runtime/config.ts'
import { redisCache } from '../runtime/drivers/cache/redis.ts'
import { openMongo } from '../runtime/drivers/mongodb/connection.ts'
import { bullmqQueue } from '../runtime/drivers/queue/bullmq.ts'
import { openRedis, type RedisAddress, type RedisConnections } from '../runtime/drivers/redis/connections.ts'
import { mongoTasks } from '../runtime/drivers/tasks/mongodb.ts'
import { redisNotifier } from '../runtime/drivers/tasks/redis-notifier.ts'
import type { OpenStores } from './local.ts'

/** Consumers and Redis wait this long after the start: connecting takes CPU that the first request needs. */
const BEGIN_MS = 300

function addressesOf(config: Config): { mongo: string; redis: RedisAddress } {
  const { MONGODB_URI: mongo, REDIS_URL: url, REDIS_HOST: host, REDIS_PORT: port, REDIS_PASSWORD: password } = config
  if (!mongo) throw new ConfigError('MONGODB_URI: expected with REDIS_URL or REDIS_HOST: both servers, or neither')
  if (url) return { mongo, redis: { url, password } }
  if (host) return { mongo, redis: { host, port, password } }
  throw new ConfigError('REDIS_URL: expected with MONGODB_URI, or else REDIS_HOST: both servers, or neither')
}

async function openRateLimit({ RATE_LIMIT }: Config, redis: RedisConnections): Promise<RateLimit | null> {
  if (!RATE_LIMIT) return null
  const { redisRateLimit } = await import('../runtime/drivers/rate-limit/redis.ts')
  return redisRateLimit(RATE_LIMIT, { redis })
}

/** Neither server need be there: what one that is away cannot do is refused until it is back. */
export const openServers: OpenStores = async (config, { onError = () => {}, leaseMs }) => {
  const addresses = addressesOf(config)
  const redis = openRedis(addresses.redis, onError)
  const mongo = openMongo(addresses.mongo, { onError })
  const notifier = redisNotifier({ redis })
  const queue = bullmqQueue({ redis, leaseMs, beginMs: BEGIN_MS, onError })
  const tasks = mongoTasks({ mongo, send: (message) => queue.send(message), notifier, onError })
  const cache = redisCache({ redis })
  const rateLimit = await openRateLimit(config, redis)
  const connecting = setTimeout(() => void Promise.allSettled([redis.answering(), redis.aside()]), BEGIN_MS).unref()
  return {
    tasks,
    queue,
    cache,
    rateLimit,
    async close() {
      await queue.close()
      await tasks.close()
      clearTimeout(connecting)
      notifier.close()
      cache.close()
      redis.close()
      await mongo.close()
    },
  }
}
