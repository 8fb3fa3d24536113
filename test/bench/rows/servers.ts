/**
 * The production stack: an api and a worker as processes of their own, on MongoDB and Redis, which are found as the tests
 * find them. Their own time is not counted.
 */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { findMongo, ownDatabase } from '../../servers/mongo.ts'
import { findRedis } from '../../servers/redis.ts'
import { send, whenCompleted } from '../client.ts'
import type { Load } from '../contestants/load.ts'
import { first200, startBare, startOurs } from '../first-200.ts'
import { type Measured, ratioRow, type Round, type Sample } from '../measured.ts'
import { smallPicture } from '../pictures.ts'
import { type Contestant, type Place, placeIn, startContestant, startRuntimeProcess } from '../processes.ts'
import { processCpuMs, processPssBytes, treePssBytes } from '../process-tree.ts'

const ROUNDS = 7
const REQUESTS = 5_000
const CONNECTIONS = 8
const START_ROUNDS = 9
const GET_MAX = 1.25
const START_MAX = 5.5
const IDLE_MAX_MB = 150
/** So that what a start leaves behind is gone or is not. */
const SETTLE_MS = 10_000

const BARE = new URL('../contestants/bare-redis.ts', import.meta.url)
const LOAD = new URL('../contestants/load.ts', import.meta.url)

const FUNCTIONS = {
  api: 'create-task,get-task,get-variant,list-tasks,delete-task',
  worker: 'process-image,notify,sweep-tasks',
}

type Asked = Contestant<Load, { wallMs: number }>

async function measure(load: Asked, pid: number, port: number, path: string): Promise<Sample> {
  const before = processCpuMs(pid)
  const request = { method: 'GET', requests: REQUESTS, connections: CONNECTIONS, status: 200 } as const
  const { wallMs } = await load.ask({ port, path, ...request })
  return { cpuMs: (processCpuMs(pid) - before) / REQUESTS, wallMs: wallMs / REQUESTS }
}

interface Places {
  api: Place
  worker: Place
}

/** GET of a task that is in the cache, and what both processes hold when nobody asks anything of them. */
async function running(folder: string, { api, worker }: Places, redisUrl: string): Promise<Measured[]> {
  await using load = startContestant<Load, { wallMs: number }>(LOAD, placeIn(folder, 'load'))
  await using first = await startRuntimeProcess(api)
  await using second = await startRuntimeProcess(worker)
  await sleep(SETTLE_MS)
  const idle = Object.entries({ api: first, worker: second }).map(([name, { pid }]): Measured => {
    const [own, all] = [processPssBytes(pid), treePssBytes(pid)].map((bytes) => Math.round(bytes / 2 ** 20)) as [
      number,
      number,
    ]
    const measured = all > own ? `${own} MB (${all} with containers)` : `${own} MB`
    return { name: `idle ${name}`, limit: `≤ ${IDLE_MAX_MB} MB`, measured, met: own <= IDLE_MAX_MB }
  })
  const { file, type } = await smallPicture(folder)
  const task = await send(first.url, await readFile(file), type)
  await whenCompleted(first.url, task)
  const path = `/tasks/${task.id}`
  const body = await (await fetch(`${first.url}${path}`)).text()
  const client = new Redis(redisUrl)
  const key = `bench:${randomUUID()}`
  await client.set(key, body, 'EX', 600)
  const bareEnv = { REDIS_URL: redisUrl, BENCH_KEY: key }
  await using bare = startContestant<object, { port: number }>(BARE, placeIn(folder, 'bare', bareEnv))
  const { port } = await bare.ask({})
  const rounds: Round[] = []
  // The first round warms the compilers up.
  for (let round = 0; round <= ROUNDS; round++) {
    const ours = await measure(load, first.pid, first.port, path)
    const theirs = await measure(load, bare.pid, port, '/')
    if (round > 0) rounds.push({ ours, theirs })
  }
  await client.del(key)
  client.disconnect()
  return [ratioRow('GET task from Redis, bare Hono with one GET', { max: GET_MAX }, rounds), ...idle]
}

async function starts(folder: string, places: Places): Promise<Measured[]> {
  const bare = placeIn(folder, 'bare-http')
  const rows: Measured[] = []
  for (const [name, place] of Object.entries(places)) {
    const rounds: Round[] = []
    for (let round = 0; round <= START_ROUNDS; round++) {
      const ours = await first200(startOurs(place), '/healthz')
      const theirs = await first200(startBare(bare), '/')
      if (round > 0) rounds.push({ ours: ours.alone, theirs: theirs.alone })
    }
    rows.push(ratioRow(`start of the ${name}`, { max: START_MAX }, rounds))
  }
  return rows
}

export async function servers(folder: string): Promise<Measured[]> {
  const mongo = await findMongo()
  const redis = mongo && (await findRedis())
  if (!mongo || !redis) {
    await mongo?.close()
    console.error('  not measured: expected a MongoDB and a Redis, as the tests do')
    return []
  }
  const uri = ownDatabase(mongo.address)
  const shared = { MONGODB_URI: uri, REDIS_URL: redis.address }
  const [api, worker] = (['api', 'worker'] as const).map((name) =>
    placeIn(folder, name, { ...shared, FUNCTIONS: FUNCTIONS[name] }),
  ) as [Place, Place]
  // Both see one folder of pictures.
  for (const name of ['STORAGE_INPUT_PATH', 'STORAGE_OUTPUT_PATH']) worker.env[name] = api.env[name]!
  try {
    return [...(await running(folder, { api, worker }, redis.address)), ...(await starts(folder, { api, worker }))]
  } finally {
    const client = new MongoClient(uri)
    await client.db().dropDatabase()
    await client.close()
    await redis.close()
    await mongo.close()
  }
}
