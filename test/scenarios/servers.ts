/** The node target over MongoDB and Redis: in one process, and as the compose file has it, an api and two workers. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { mongoServer, ownDatabase } from '../servers/mongo.ts'
import { type Proxy, startProxy } from '../servers/proxy.ts'
import { ownRedis, redisServer } from '../servers/redis.ts'
import { filesBelow, replaceByFile, type StartedProcess, startProcess } from './process.ts'
import { messagesIn } from './running.ts'
import type { Running, Target } from './target.ts'

const API_FUNCTIONS = 'create-task,get-task,get-variant,list-tasks,delete-task'
const WORKER_FUNCTIONS = 'process-image,notify,sweep-tasks'

/** True where there are servers for this file. */
export async function hasServers(): Promise<boolean> {
  return (await mongoServer()) !== null && (await redisServer()) !== null
}

interface Database extends AsyncDisposable {
  /** By way of the proxy. */
  uri: string
  proxy: Proxy
}

/** A database of its own behind a proxy, so that it can be taken away from this target alone. */
async function openDatabase(): Promise<Database> {
  const direct = ownDatabase((await mongoServer())!)
  const url = new URL(direct)
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port || 27_017) })
  url.host = `127.0.0.1:${proxy.port}`
  // A member of a replica set would name the address that it has itself.
  url.searchParams.set('directConnection', 'true')
  return {
    uri: url.href,
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      await using client = new MongoClient(direct)
      await client.db().dropDatabase()
    },
  }
}

let databases = 0

/** One of its own where there is a program for it, else a database of the file's. */
async function openRedis(): Promise<{ uri: string } & AsyncDisposable> {
  const own = await ownRedis()
  if (own) return own
  const url = new URL((await redisServer())!)
  url.pathname = `/${1 + (databases++ % 15)}`
  return { uri: url.href, [Symbol.asyncDispose]: async () => {} }
}

/** As a scraper with the key reads them. */
async function metricsOf({ url }: StartedProcess, env: Record<string, string>): Promise<string> {
  const key = env['API_KEY']?.split(',')[0]
  return await (await fetch(`${url}/metrics`, { headers: key ? { 'x-api-key': key } : {} })).text()
}

function target(name: string, splits: readonly Record<string, string>[]): Target {
  return {
    name,
    async start(env): Promise<Running> {
      const stack = new AsyncDisposableStack()
      const folder = await mkdtemp(join(tmpdir(), 'revela-scenarios-'))
      stack.defer(() => rm(folder, { recursive: true, force: true }))
      const redis = stack.use(await openRedis())
      const { uri, proxy } = stack.use(await openDatabase())
      const servers = { MONGODB_URI: uri, REDIS_URL: redis.uri }
      const [api, ...workers] = await Promise.all(
        splits.map((own) => startProcess(folder, { ...servers, ...env, ...own })),
      )
      const images = join(folder, 'storage/images')
      return {
        url: api!.url,
        ...(workers[0] ? { messages: async (state) => messagesIn(await metricsOf(workers[0]!, env), state) } : {}),
        files: async () => await filesBelow(images).catch(() => []),
        lose: (file) => rm(join(images, file)),
        outage: { blobs: () => replaceByFile(join(images, 'input')), tasks: () => proxy.cut() },
        stop: async () => {
          try {
            // What could still be asked for work ends first.
            for (const process of [api!, ...workers]) await process.stop()
          } finally {
            await stack.disposeAsync()
          }
        },
      }
    },
  }
}

export const servers = target('node, servers in one process', [{}])

export const serversApart = target('node, servers, api and two workers', [
  { FUNCTIONS: API_FUNCTIONS },
  // The api's own port is not theirs.
  { FUNCTIONS: WORKER_FUNCTIONS, METRICS_PORT: '' },
  { FUNCTIONS: WORKER_FUNCTIONS, METRICS_PORT: '' },
])
