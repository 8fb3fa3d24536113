/** What the stacks of all clouds have in common: tasks in MongoDB, a queue of the platform's, and the rest in memory. */
import type { QueueDriver } from '#shared/consumer.ts'
import type { OpenStack } from '../bindings.ts'
import { type Config, ConfigError } from '../config.ts'
import { memoryCache } from '../drivers/cache/memory.ts'
import { openMongo } from '../drivers/mongodb/connection.ts'
import { memoryRateLimit } from '../drivers/rate-limit/memory.ts'
import { mongoTasks } from '../drivers/tasks/mongodb.ts'
import { CACHE_ENTRIES_MAX } from '../limits.ts'

/** The value of a variable that a stack cannot do without. Throws ConfigError, which names it. */
export function needed<Name extends keyof Config>(config: Config, name: Name): NonNullable<Config[Name]> {
  const value = config[name]
  if (value === undefined || value === null) throw new ConfigError(`${name}: needed on this target, got nothing`)
  return value
}

/** Nothing of a disk is left when an instance ends: files and tasks are elsewhere, or lost. */
export function cloudStack(openQueue: (config: Config) => QueueDriver): OpenStack {
  return async (config, { onError = () => {} }) => {
    needed(config, 'S3_BUCKET')
    const queue = openQueue(config)
    const mongo = openMongo(needed(config, 'MONGODB_URI'), { onError })
    const tasks = mongoTasks({ mongo, send: (message) => queue.send(message), onError })
    return {
      tasks,
      queue,
      cache: memoryCache({ maxEntries: CACHE_ENTRIES_MAX }),
      rateLimit: config.RATE_LIMIT ? memoryRateLimit(config.RATE_LIMIT) : null,
      async close() {
        await tasks.close()
        await mongo.close()
        await queue.close()
      },
    }
  }
}
