/**
 * The clients of one Redis, each with the options of its use, made when it is first asked for. They connect by
 * themselves, and again and again: a Redis that is away is no reason not to start.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis, RedisOptions } from 'ioredis'
import { SECOND_MS } from '#shared/limits.ts'

/** How long someone who is answered with the outcome may be kept waiting. */
const ANSWER_MS = 2 * SECOND_MS
/** The same where the answer can do without Redis: cache, rate limit, notifications. */
const ASIDE_MS = 250
/** How long work that has time may wait for an answer. Longer than the longest blocking read, 10 s. */
const WORK_MS = 15 * SECOND_MS
/** A connection that was asked and is silent for this much longer than it may be is given up for another. */
const SILENCE_MS = SECOND_MS
const RECONNECT_MAX_MS = SECOND_MS

export type RedisClient = Redis

/** A redis:// or rediss:// URL, or a host and a port. A password in the URL goes before the other. */
export type RedisAddress = ({ url: string } | { host: string; port: number }) & { password?: string | undefined }

/** Each of the first three is the same client at each call. All reject once they are closed. */
export interface RedisConnections {
  /** For whoever is answered with the outcome: it rejects at once while Redis is away, and within ANSWER_MS. */
  answering(): Promise<RedisClient>
  /** For what an answer can do without; within ASIDE_MS. */
  aside(): Promise<RedisClient>
  /** For what may wait until Redis is back, at most WORK_MS. */
  working(): Promise<RedisClient>
  /** A new one that subscribes; nothing waits in it, and it resubscribes nothing by itself. */
  subscribing(): Promise<RedisClient>
  /** Tells of an outage, once for each. */
  report(error: unknown): void
  /** Ends all connections, at once. */
  close(): void
}

function optionsOf(commandTimeout: number): RedisOptions {
  return {
    commandTimeout,
    socketTimeout: commandTimeout + SILENCE_MS,
    connectTimeout: ANSWER_MS,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
  }
}

/** What was asked of a connection that broke is not asked again: the one who asked was told that it failed. */
const FAIL_FAST = { enableOfflineQueue: false, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false }

const ANSWERING = { ...optionsOf(ANSWER_MS), ...FAIL_FAST }
const ASIDE = { ...optionsOf(ASIDE_MS), ...FAIL_FAST }
// Commands wait as long as they need for a connection: a verdict that is written late is better than none.
const WORKING = { ...optionsOf(WORK_MS), maxRetriesPerRequest: null }
const SUBSCRIBING = { ...ANSWERING, autoResubscribe: false }

/** What is asked first need not fail because the connection is only just being made. */
async function firstReady(client: RedisClient, ms: number): Promise<void> {
  const timeout = new AbortController()
  const late = delay(ms, undefined, { signal: timeout.signal }).catch(() => undefined)
  await Promise.race([new Promise((resolve) => client.once('ready', resolve)), late])
  timeout.abort()
}

function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opening: Promise<T> | undefined
  return () => (opening ??= open())
}

export function openRedis(address: RedisAddress, onError: (error: unknown) => void = () => {}): RedisConnections {
  const clients: RedisClient[] = []
  let told = false
  let closed = false

  function report(error: unknown): void {
    if (told || closed) return
    told = true
    onError(error)
  }

  async function open(own: RedisOptions): Promise<RedisClient> {
    // Late: a process that answers without it need not have read it.
    const { Redis } = await import('ioredis')
    if (closed) throw new Error('Connection is closed.')
    const { password } = address
    const options = { ...own, replyMapping: 'legacy' as const }
    const client =
      'url' in address ? new Redis(address.url, { password, ...options }) : new Redis({ ...address, ...options })
    client.on('error', report)
    client.on('ready', () => {
      if (clients.every(({ status }) => status === 'ready')) told = false
    })
    clients.push(client)
    return client
  }

  async function openFor(own: RedisOptions, ms: number): Promise<RedisClient> {
    const client = await open(own)
    await firstReady(client, ms)
    return client
  }

  return {
    answering: once(() => openFor(ANSWERING, ANSWER_MS)),
    aside: once(() => openFor(ASIDE, ASIDE_MS)),
    working: once(() => open(WORKING)),
    subscribing: () => open(SUBSCRIBING),
    report,
    close: () => {
      closed = true
      for (const client of clients) client.disconnect()
    },
  }
}
