import { describe } from 'vitest'
import { hasStores } from '../clouds/stores.ts'
import { hasOwnRedis } from '../servers/redis.ts'
import { scenarios } from './scenarios.ts'
import { serversOnS3 } from './servers-s3.ts'

describe.skipIf(!hasOwnRedis() || !(await hasStores()))('with MongoDB, Redis and S3', () => {
  scenarios(serversOnS3)
})
