/**
 * A run of chaos on the production stack: an api and two workers on a MongoDB and a Redis of their own, and every one
 * of them is killed, frozen or emptied again and again.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { SECOND_MS } from '#shared/limits.ts'
import { ownMongo } from '../servers/mongo.ts'
import { ask, type OwnServer } from '../servers/own.ts'
import { ownRedis } from '../servers/redis.ts'
import { Clients } from './clients.ts'
import { CRASH_POINTS, type CrashPoint } from './crash.ts'
import { judge, type Outcome } from './judge.ts'
import { randomOf } from './random.ts'
import { uploadPictures } from './run.ts'
import { startVictim, type Victim } from './victims.ts'

/** How often each is struck. */
export interface Faults {
  /** SIGKILL of a worker, half of them at a crash point. */
  worker: number
  /** SIGKILL of Redis, which starts again with its append-only file. */
  redis: number
  /** FLUSHALL. */
  flush: number
  /** SIGSTOP of Redis for `freezeMs`. */
  freeze: number
  /** SIGKILL of MongoDB. */
  mongo: number
}

export interface ServersChaosOptions {
  faults: Faults
  seed: number
  freezeMs?: number
  clients?: number
  /** Functions of the workers. */
  workerFunctions?: string
  onFault?: (done: number, of: number) => void
  /** Aborted: no further fault, and what was struck until then is counted. */
  signal?: AbortSignal
}

export interface ServersChaosResult extends Outcome {
  faults: Faults & { atCrashPoint: number }
}

const API_FUNCTIONS = 'create-task,create-upload,get-task,get-variant,list-tasks,delete-task'
const WORKER_FUNCTIONS = 'process-image,notify,sweep-tasks'
const WORKERS = 2
// Of a message that was lost in mid-work: its timeout and margin (75 s), two sweeps, and the work itself.
const SETTLE_MS = 150 * SECOND_MS
// A crash point that is not reached in this time is given up, and the process killed where it is.
const POINT_MS = 2 * SECOND_MS
const FREEZE_MS = 20 * SECOND_MS
/** The points that a worker can reach. */
const WORKER_POINTS = CRASH_POINTS.filter(({ at }) => /^(tasks\.(claim|advance|settle)|queue\.ack)$/.test(at))

type Kind = keyof Faults

/** Every fault as often as it is asked for, in an order that the seed decides. */
function scheduleOf(faults: Faults, random: () => number): Kind[] {
  const all = Object.entries(faults).flatMap(([kind, times]) => Array<Kind>(times).fill(kind as Kind))
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[all[i], all[j]] = [all[j]!, all[i]!]
  }
  return all
}

/** Starts until it does: a server that is away at that moment may end the start, as it would in production. */
async function insist(start: () => Promise<Victim | null>): Promise<Victim> {
  for (;;) {
    const victim = await start()
    if (victim) return victim
  }
}

class Stack {
  readonly folder: string
  readonly mongo: OwnServer
  readonly redis: OwnServer
  readonly #workerFunctions: string
  readonly workers: Victim[] = []
  api!: Victim

  constructor(folder: string, mongo: OwnServer, redis: OwnServer, workerFunctions: string) {
    this.folder = folder
    this.mongo = mongo
    this.redis = redis
    this.#workerFunctions = workerFunctions
  }

  #start(functions: string, crash: CrashPoint | null = null): Promise<Victim> {
    const env = { MONGODB_URI: this.mongo.uri, REDIS_URL: this.redis.uri, FUNCTIONS: functions, CONCURRENCY: '2' }
    return insist(() => startVictim({ folder: this.folder, crash, env }))
  }

  async start(): Promise<void> {
    this.api = await this.#start(API_FUNCTIONS)
    for (let i = 0; i < WORKERS; i++) this.workers[i] = await this.#start(this.#workerFunctions)
  }

  /** Kills one worker: at once, or, when it was started with a crash point, there. */
  async killWorker(random: () => number): Promise<boolean> {
    const index = Math.floor(random() * WORKERS)
    const atPoint = random() < 0.5
    if (atPoint) {
      const point = {
        ...WORKER_POINTS[Math.floor(random() * WORKER_POINTS.length)]!,
        nth: 1 + Math.floor(random() * 3),
      }
      await this.#end(this.workers[index]!)
      this.workers[index] = await this.#start(this.#workerFunctions, point)
      await Promise.race([this.workers[index].exited, delay(POINT_MS)])
    }
    const died = !this.workers[index]!.isAlive()
    await this.#end(this.workers[index]!)
    this.workers[index] = await this.#start(this.#workerFunctions)
    return atPoint && died
  }

  async #end(victim: Victim): Promise<void> {
    victim.kill()
    await victim.exited
  }

  async stop(): Promise<void> {
    for (const victim of [this.api, ...this.workers]) if (victim) await this.#end(victim)
    await this.redis[Symbol.asyncDispose]()
    await this.mongo[Symbol.asyncDispose]()
  }
}

async function restart(server: OwnServer): Promise<void> {
  await server.kill()
  await server.start()
}

async function flush({ port }: OwnServer): Promise<void> {
  const answer = await ask(port, 'FLUSHALL\r\n')
  if (!answer?.startsWith('+OK')) throw new Error(`FLUSHALL: expected +OK, got ${JSON.stringify(answer)}`)
}

async function freeze(server: OwnServer, ms: number): Promise<void> {
  server.freeze()
  await delay(ms)
  server.thaw()
}

/** Null where this machine has no MongoDB or Redis that may be killed. */
export async function runServersChaos(options: ServersChaosOptions): Promise<ServersChaosResult | null> {
  const { faults, seed, freezeMs = FREEZE_MS, clients: count = 3, workerFunctions = WORKER_FUNCTIONS } = options
  const random = randomOf(seed)
  const mongo = await ownMongo()
  const redis = await ownRedis()
  if (!mongo || !redis) return null
  const folder = await mkdtemp(join(tmpdir(), 'revela-chaos-'))
  const stack = new Stack(folder, mongo, redis, workerFunctions)
  const clients = new Clients(await uploadPictures(), count)
  let atCrashPoint = 0
  const done: Faults = { worker: 0, redis: 0, flush: 0, freeze: 0, mongo: 0 }
  const strike: Record<Kind, () => Promise<void>> = {
    worker: async () => void (atCrashPoint += Number(await stack.killWorker(random))),
    redis: () => restart(redis),
    flush: () => flush(redis),
    freeze: () => freeze(redis, freezeMs),
    mongo: () => restart(mongo),
  }
  try {
    await stack.start()
    clients.url = stack.api.url
    const schedule = scheduleOf(faults, random)
    for (const [index, kind] of schedule.entries()) {
      if (options.signal?.aborted) break
      await delay(50 + random() * 400)
      await strike[kind]()
      done[kind]++
      options.onFault?.(index + 1, schedule.length)
    }
    await clients.stop()
    const outcome = await judge(stack.api.url, [...clients.acknowledged.values()], folder, SETTLE_MS)
    return { faults: { ...done, atCrashPoint }, ...outcome }
  } finally {
    clients.abandon()
    await stack.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
