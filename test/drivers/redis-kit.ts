/** Connections to a Redis for one test, and the keys that it made there. */
import { randomUUID } from 'node:crypto'
import { openRedis, type RedisConnections } from '../../runtime/drivers/redis/connections.ts'

/** How long a test waits for connections to be made. */
const CONNECT_MS = 10_000

export interface TestRedis extends AsyncDisposable {
  redis: RedisConnections
  /** Of the keys that are removed at the end. */
  prefix: string
  /** Told so far. */
  errors: unknown[]
}

/** `prefix`: that of another, as a second process of the same deployment has it. `waitMs` 0: to one that is away. */
export async function testRedis(url: string, prefix = `test-${randomUUID()}`, waitMs = CONNECT_MS): Promise<TestRedis> {
  const errors: unknown[] = []
  const redis = openRedis({ url }, (error) => errors.push(error))
  await redis.ready(waitMs)
  return {
    redis,
    prefix,
    errors,
    async [Symbol.asyncDispose]() {
      // One that a test killed or froze has nothing that must go.
      const keys = await redis.answering.keys(`${prefix}*`).catch(() => [])
      if (keys.length > 0) await redis.answering.del(keys)
      redis.close()
    },
  }
}
