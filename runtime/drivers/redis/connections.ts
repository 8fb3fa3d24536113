/**
 * The clients of one Redis, each with the options of its use. All connect by themselves, and again and again: a Redis
 * that is away at the start is no reason not to start.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Redis, type RedisOptions } from 'ioredis'
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

export interface RedisConnections {
  /** For whoever is answered with the outcome: rejects at once while Redis is away, and within ANSWER_MS. */
  readonly answering: RedisClient
  /** For what an answer can do without; within ASIDE_MS. */
  readonly aside: RedisClient
  /** For what may wait until Redis is back, at most WORK_MS. The same one at each call. */
  working(): RedisClient
  /** A new one that subscribes; nothing waits in it, and it resubscribes nothing by itself. */
  subscribing(): RedisClient
  /** Tells of an outage, once for each. */
  report(error: unknown): void
  /** Resolves once Redis can be asked, or after `ms`: what is asked right after the start need not fail. */
  ready(ms: number): Promise<void>
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

async function untilReady(client: RedisClient): Promise<void> {
  if (client.status !== 'ready') await new Promise<void>((resolve) => client.once('ready', resolve))
}

export function openRedis(address: RedisAddress, onError: (error: unknown) => void = () => {}): RedisConnections {
  const clients: RedisClient[] = []
  let told = false
  let worker: RedisClient | undefined

  function report(error: unknown): void {
    if (told) return
    told = true
    onError(error)
  }

  function open(own: RedisOptions): RedisClient {
    const options = { ...own, replyMapping: 'legacy' as const }
    const { password } = address
    const client =
      'url' in address ? new Redis(address.url, { password, ...options }) : new Redis({ ...address, ...options })
    client.on('error', report)
    clients.push(client)
    return client
  }

  const answering = open({ ...optionsOf(ANSWER_MS), ...FAIL_FAST })
  const aside = open({ ...optionsOf(ASIDE_MS), ...FAIL_FAST })
  answering.on('ready', () => {
    told = false
  })

  return {
    answering,
    aside,
    // Commands wait as long as they need for a connection: a verdict that is written late is better than none.
    working: () => (worker ??= open({ ...optionsOf(WORK_MS), maxRetriesPerRequest: null })),
    subscribing: () => open({ ...optionsOf(ANSWER_MS), ...FAIL_FAST, autoResubscribe: false }),
    report,
    ready: async (ms) => {
      const both = Promise.all([answering, aside].map(untilReady))
      const timeout = new AbortController()
      const late = delay(ms, undefined, { signal: timeout.signal }).catch(() => undefined)
      await Promise.race([both, late])
      timeout.abort()
    },
    close: () => {
      for (const client of clients) client.disconnect()
    },
  }
}
