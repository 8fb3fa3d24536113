/** What the stacks of all clouds have in common: tasks in MongoDB, a queue of the platform's, and the rest beside them. */
import type { QueueDriver } from '#shared/consumer.ts'
import type { OpenStack } from '../runtime/bindings.ts'
import { ConfigError } from '#shared/errors.ts'
import type { Config } from '../runtime/config.ts'
import { openMongo } from '../runtime/drivers/mongodb/connection.ts'
import { mongoTasks } from '../runtime/drivers/tasks/mongodb.ts'
import { openBeside } from './beside.ts'
import { openFetch, openS3, s3Of } from './s3.ts'

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
    const blobs = await openS3(s3Of(config)!)
    const fetch = await openFetch({ allowHosts: config.ALLOW_HOSTS })
    const queue = openQueue(config)
    const mongo = openMongo(needed(config, 'MONGODB_URI'), { onError })
    const beside = await openBeside(config, onError)
    const { cache, rateLimit, notifier } = beside
    const tasks = mongoTasks({
      mongo,
      send: (message) => queue.send(message),
      onError,
      ...(notifier ? { notifier } : {}),
    })
    return {
      tasks,
      queue,
      cache,
      rateLimit,
      blobs,
      fetch,
      async close() {
        await tasks.close()
        beside.close()
        await mongo.close()
        await queue.close()
      },
    }
  }
}
