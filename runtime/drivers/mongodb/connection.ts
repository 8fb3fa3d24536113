/** One client for a process: all that is kept in one MongoDB is asked for through it. */
import type { Db, MongoClient, MongoClientOptions } from 'mongodb'
import { taskStoreAway } from '#shared/errors.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { attempt } from './errors.ts'

/** All of a call, the search for a server and its first preparation included: an outage is told within 2 s. */
export const CALL_MS = 1_700
/** What is left of it when the search for a server has failed, or the wait for a free connection. */
const REST_MS = 200
const CLOSE_MS = 2 * SECOND_MS
/** What one process may have under way at once. Mongod's default is room for far more than a stack's processes need. */
const POOL_MAX = 20
/** Below what firewalls forget silent connections after. */
const IDLE_MS = 60 * SECOND_MS
/** A server that is silent for longer than this, plus the connect timeout, is given up with all connections to it. */
const HEARTBEAT_MS = 5 * SECOND_MS
const CONNECT_MS = 5 * SECOND_MS

const OPTIONS: MongoClientOptions = {
  appName: 'revela',
  maxPoolSize: POOL_MAX,
  maxIdleTimeMS: IDLE_MS,
  connectTimeoutMS: CONNECT_MS,
  heartbeatFrequencyMS: HEARTBEAT_MS,
  retryReads: true,
  retryWrites: true,
  readPreference: 'primary',
  ignoreUndefined: true,
}

export interface MongoConnection {
  /** Has `step` run before the first call; again until it succeeds once. It must bear being run twice. */
  beforeUse(step: (db: Db) => Promise<void>): void
  /**
   * Runs `work` on the database that the URI names. Rejects with Problem `unavailable` for an outage of `what`, and when
   * `callMs` are over; what was sent by then may still be done.
   */
  call<T>(what: string, work: (db: Db) => Promise<T>): Promise<T>
  /** Ends all connections; calls reject from now on. */
  close(): Promise<void>
}

export interface OpenMongoOptions {
  /** Told why the database could not be prepared, once for each outage. */
  onError?: (error: unknown) => void
  callMs?: number
}

/** Rejects with what `late` makes when `ms` are over; what `work` comes to after that is nobody's. */
export async function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(late()), ms)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Nothing is connected yet, not even looked for: a server that is away is met by the first call, and no process ends
 * of it. From then on the client finds its server again by itself.
 */
export function openMongo(uri: string, options: OpenMongoOptions = {}): MongoConnection {
  const { onError = () => {}, callMs = CALL_MS } = options
  const waits = { serverSelectionTimeoutMS: callMs - REST_MS, waitQueueTimeoutMS: callMs - REST_MS }
  const steps: ((db: Db) => Promise<void>)[] = []
  let client: MongoClient | null = null
  let ready: Promise<Db> | null = null
  let told = false
  let closed = false

  async function prepare(): Promise<Db> {
    // Late: it is a tenth of a second of CPU, which a process needs for its start.
    const { MongoClient } = await import('mongodb')
    if (closed) throw new Error('The connection to MongoDB is closed.')
    client ??= new MongoClient(uri, { ...OPTIONS, ...waits })
    // By hand: after a first attempt that failed, the client's calls would not try again.
    await client.connect()
    const db = client.db()
    for (const step of steps) await step(db)
    told = false
    return db
  }

  /** One preparation for all who call meanwhile. After one that failed the next call begins another. */
  function whenReady(what: string): Promise<Db> {
    ready ??= prepare().catch((error: unknown) => {
      ready = null
      if (!told && !closed) onError(error)
      told = true
      throw taskStoreAway(what, error)
    })
    return ready
  }

  return {
    beforeUse(step) {
      steps.push(step)
      ready = null
    },
    async call(what, work) {
      const run = attempt(what, async () => await work(await whenReady(what)))
      return await within(callMs, run, () => taskStoreAway(what, new Error(`No answer within ${callMs} ms.`)))
    },
    async close() {
      closed = true
      ready = null
      const closing = client?.close() ?? Promise.resolve()
      // A server that is silent does not say goodbye either.
      await within(CLOSE_MS, closing, () => new Error('MongoDB did not answer.')).catch(() => undefined)
    },
  }
}
