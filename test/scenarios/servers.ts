/** The node target over MongoDB and Redis: in one process, and as the compose file has it, an api and two workers. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { MARKER } from '../../runtime/drivers/blobs/marker.ts'
import { OWNER } from '../../runtime/drivers/blobs/owner.ts'
import { until } from '../runtime/until.ts'
import { mongoServer } from '../servers/mongo.ts'
import { proxiedDatabase } from '../servers/mongo-proxied.ts'
import { ownRedis, redisServer } from '../servers/redis.ts'
import { filesBelow, replaceByFile, replaceByNothing, type StartedProcess, startProcess } from './process.ts'
import { messagesIn } from './running.ts'
import type { Running, Target } from './target.ts'

/** How long the stores may take to be prepared. */
const READY_MS = 25_000
const API_FUNCTIONS = 'create-task,create-upload,get-task,get-variant,list-tasks,delete-task'
const WORKER_FUNCTIONS = 'process-image,notify,sweep-tasks'

/** True where there are servers for this file. */
export async function hasServers(): Promise<boolean> {
  return (await mongoServer()) !== null && (await redisServer()) !== null
}

/** Of a Redis that others use too: each of the targets below has as many for itself, one for each start. */
const DATABASES = 7

/** One of its own where there is a program for it, else a database of the file's or the environment's. */
async function openRedis(database: number): Promise<{ uri: string } & AsyncDisposable> {
  const own = await ownRedis()
  if (own) return own
  const url = new URL((await redisServer())!)
  url.pathname = `/${database}`
  return {
    uri: url.href,
    async [Symbol.asyncDispose]() {
      const client = new Redis(url.href)
      await client.flushdb()
      client.disconnect()
    },
  }
}

/** As a scraper with the key reads them. */
async function metricsOf({ url }: StartedProcess, env: Record<string, string>): Promise<string> {
  const key = env['API_KEY']?.split(',')[0]
  return await (await fetch(`${url}/metrics`, { headers: key ? { 'x-api-key': key } : {} })).text()
}

function target(name: string, firstDatabase: number, splits: readonly Record<string, string>[]): Target {
  let starts = 0
  return {
    name,
    workers: Math.max(1, splits.length - 1),
    async start(env): Promise<Running> {
      // What was begun ends in the opposite order, also where the start fails.
      await using stack = new AsyncDisposableStack()
      const folder = await mkdtemp(join(tmpdir(), 'revela-scenarios-'))
      stack.defer(() => rm(folder, { recursive: true, force: true }))
      const redis = stack.use(await openRedis(firstDatabase + (starts++ % DATABASES)))
      const { uri, proxy } = stack.use(await proxiedDatabase())
      const servers = { MONGODB_URI: uri, REDIS_URL: redis.uri }
      const processes: StartedProcess[] = []
      // One after the other: the first prepares the database.
      for (const own of splits) {
        const process = await startProcess(folder, { ...servers, ...env, ...own })
        stack.defer(() => process.stop())
        processes.push(process)
      }
      const [api, ...workers] = processes
      const images = join(folder, 'storage/images')
      const files = async (): Promise<string[]> => await filesBelow(images)
      const isMarked = async (): Promise<boolean> =>
        (await files()).filter((file) => file.endsWith(`/${MARKER}`) || file.endsWith(`/${OWNER}`)).length === 4
      const areReady = async (): Promise<boolean> =>
        (await Promise.all(processes.map(({ url }) => fetch(`${url}/readyz`)))).every(({ ok }) => ok)
      await until('ready', async () => (await areReady()) && (await isMarked()), READY_MS)
      const started = stack.move()
      return {
        url: api!.url,
        ...(workers[0] ? { messages: async (state) => messagesIn(await metricsOf(workers[0]!, env), state) } : {}),
        files,
        lose: (file) => rm(join(images, file)),
        outage: {
          blobs: () => replaceByFile(join(images, 'input')),
          volume: () => replaceByNothing(images, ['input', 'output']),
          tasks: async () => {
            const mend = await proxy.cut()
            return async () => {
              await mend()
              // The driver looks for its server now and again.
              await until('ready', areReady, READY_MS)
            }
          },
        },
        stop: () => started.disposeAsync(),
      }
    },
  }
}

export const servers = target('node, servers in one process', 1, [{}])

export const serversApart = target('node, servers, api and two workers', 1 + DATABASES, [
  { FUNCTIONS: API_FUNCTIONS },
  // The api's own port is not theirs.
  { FUNCTIONS: WORKER_FUNCTIONS, METRICS_PORT: '' },
  { FUNCTIONS: WORKER_FUNCTIONS, METRICS_PORT: '' },
])
