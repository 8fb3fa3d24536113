import { afterAll, describe } from 'vitest'
import { hasLambdaHost } from '../clouds/lambda-host.ts'
import { hasStores } from '../clouds/stores.ts'
import { hasOwnRedis } from '../servers/redis.ts'
import { hasSqs } from '../servers/sqs.ts'
import { awsLambda, forgetBundle } from './aws-lambda.ts'
import { scenarios } from './scenarios.ts'

const hasServers = hasSqs() && hasOwnRedis() && (await hasStores())

describe.skipIf(!hasLambdaHost || !hasServers)('under its host', () => {
  afterAll(forgetBundle)
  scenarios(awsLambda)
})
