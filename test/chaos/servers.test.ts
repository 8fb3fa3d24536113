import { expect, test } from 'vitest'
import { hasOwnMongo } from '../servers/mongo.ts'
import { hasOwnRedis } from '../servers/redis.ts'
import { runServersChaos } from './servers.ts'

const FAULTS = { worker: 25, redis: 3, flush: 2, freeze: 2, mongo: 3 }
const KILLS = Object.values(FAULTS).reduce((sum, times) => sum + times)

test.skipIf(!hasOwnMongo() || !hasOwnRedis())(
  `${KILLS} faults of workers, Redis and MongoDB lose nothing, tear nothing and double nothing`,
  { timeout: 600_000 },
  async () => {
    const result = await runServersChaos({ faults: FAULTS, seed: 7, freezeMs: 3_000 })
    expect(result).toMatchObject({ failed: 0, lost: 0, stuck: 0, torn: 0, doubled: 0, leftovers: 0 })
    // A run in which nothing was accepted would prove nothing.
    expect(result!.acknowledged).toBeGreaterThan(KILLS)
    expect(result!.completed).toBe(result!.acknowledged)
  },
)
