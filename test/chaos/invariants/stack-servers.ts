/** MongoDB and Redis: a database of its own in each for a folder. */
import { MongoClient } from 'mongodb'
import { Redis } from 'ioredis'
import { join } from 'node:path'
import { taskCreated } from '#shared/message.ts'
import { readConfig } from '../../../runtime/config.ts'
import { openLocal } from '../../../stacks/local.ts'
import { mongoServer, ownDatabase } from '../../servers/mongo.ts'
import { fromOwn, ofFile } from '../../servers/found.ts'
import { hasOwnRedis, ownRedis } from '../../servers/redis.ts'
import type { Stack } from './stacks.ts'

/** More than the tests of one file. */
const DATABASES = 64

/** For one test file. The environment's has 16 databases, and others use them. */
const redisOfFile = ofFile(async () => {
  const server = await ownRedis(['--databases', String(DATABASES)])
  return server && fromOwn(server, server.uri)
})

interface Place {
  env: { MONGODB_URI: string; REDIS_URL: string }
  mongo: MongoClient
  redis: Redis
}

const places = new Map<string, Place>()
let databases = 0

async function placeFor(folder: string): Promise<Place> {
  const redis = new URL((await redisOfFile())!)
  redis.pathname = `/${databases++ % DATABASES}`
  const env = { MONGODB_URI: ownDatabase((await mongoServer())!), REDIS_URL: redis.href }
  const place = { env, mongo: new MongoClient(env.MONGODB_URI), redis: new Redis(env.REDIS_URL) }
  places.set(folder, place)
  return place
}

const placeOf = (folder: string): Place => places.get(folder)!

/** BullMQ keeps a job under its id, beside keys of its own without a dot, until it is done. */
const JOB = /^bull:([^:]+):([^:.]+\.[^:]+)$/

async function jobsOf({ redis }: Place): Promise<{ queue: string; id: string; key: string }[]> {
  const keys = await redis.keys('bull:*')
  return keys.flatMap((key) => {
    const [, queue, id] = JOB.exec(key) ?? []
    return queue === undefined || queue.endsWith('-dead') ? [] : [{ queue, id: id!, key }]
  })
}

export const servers: Stack = {
  name: 'MongoDB and Redis',
  isThere: (await mongoServer()) !== null && hasOwnRedis(),
  async open(folder) {
    const { env } = await placeFor(folder)
    const paths = { STORAGE_INPUT_PATH: join(folder, 'input'), STORAGE_OUTPUT_PATH: join(folder, 'output') }
    return await openLocal(readConfig({ ...env, ...paths }))
  },
  env: (folder) => placeOf(folder).env,
  async close(folder) {
    const { mongo, redis } = placeOf(folder)
    places.delete(folder)
    await mongo.db().dropDatabase()
    await mongo.close()
    redis.disconnect()
  },
  messages: async (folder) => (await jobsOf(placeOf(folder))).map(({ id }) => id),
  async loseMessage(folder, lost) {
    const place = placeOf(folder)
    const found = (await jobsOf(place)).filter(({ id }) => id === lost)
    for (const { queue, id, key } of found) {
      const lists = ['wait', 'active', 'stalled', 'delayed'].map((name) => `bull:${queue}:${name}`)
      const [wait, active, stalled, delayed] = lists as [string, string, string, string]
      const all = place.redis.multi().del(key, `${key}:lock`).lrem(wait, 0, id).lrem(active, 0, id)
      await all.srem(stalled, id).zrem(delayed, id).exec()
    }
  },
  loseQueue: async (folder) => void (await placeOf(folder).redis.flushdb()),
  async forgotten(folder) {
    const place = placeOf(folder)
    const tasks = place.mongo.db().collection<{ _id: string }>('tasks')
    // Sent after the commit: a task that nobody has taken may not have its message yet, and the document sees to that.
    const taken = async (ids?: string[]): Promise<string[]> => {
      const found = await tasks.find({ status: 'processing', ...(ids ? { _id: { $in: ids } } : {}) }).toArray()
      return found.map(({ _id }) => _id)
    }
    const before = await taken()
    const messages = new Set((await jobsOf(place)).map(({ id }) => id))
    // Not one instant over two servers: what was done between the looks is no fault.
    return await taken(before.filter((id) => !messages.has(taskCreated(id).id)))
  },
}
