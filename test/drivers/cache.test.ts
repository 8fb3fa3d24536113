import { memoryCache } from '../../runtime/drivers/cache/memory.ts'
import { describeCache } from './cache.ts'

describeCache('memory', async () => ({
  cache: memoryCache({ maxEntries: 100 }),
  [Symbol.asyncDispose]: async () => {},
}))
