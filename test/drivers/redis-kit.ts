/** Connections to a Redis for one test, and the keys that it made there. */
import { randomUUID } from 'node:crypto'
import { openRedis, type RedisClient, type RedisConnections } from '../../runtime/drivers/redis/connections.ts'

export interface TestRedis extends AsyncDisposable {
  redis: RedisConnections
  /** The one for whoever is answered. */
  client: RedisClient
  /** Of the keys that are removed at the end. */
  prefix: string
  /** Told so far. */
  errors: unknown[]
}

/** `prefix`: that of another, as a second process of the same deployment has it. */
export async function testRedis(url: string, prefix = `test-${randomUUID()}`): Promise<TestRedis> {
  const errors: unknown[] = []
  const redis = openRedis({ url }, (error) => errors.push(error))
  const [client] = await Promise.all([redis.answering(), redis.aside()])
  return {
    redis,
    client,
    prefix,
    errors,
    async [Symbol.asyncDispose]() {
      // One that a test killed or froze has nothing that must go.
      const keys = await client.keys(`${prefix}*`).catch(() => [])
      if (keys.length > 0) await client.del(keys)
      redis.close()
    },
  }
}
