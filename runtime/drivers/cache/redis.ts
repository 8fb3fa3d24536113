/**
 * The cache that all processes share. While Redis is away or slow everything is a miss, and what must be known, that a
 * task was deleted, is said again until Redis has taken it.
 */
import type { Cache } from '#shared/bindings.ts'
import { SECOND_MS } from '#shared/limits.ts'
import type { RedisClient, RedisConnections } from '../redis/connections.ts'
import { isRefusal } from '../redis/errors.ts'

/** After a failure Redis is not asked for so long, but for one try at the end: nobody waits for it in vain again. */
const REST_MS = SECOND_MS
/** Between two tries to write what Redis did not take. */
const REPEAT_MS = SECOND_MS
/** What is remembered of it; beyond, the oldest is forgotten. */
const UNSAID_MAX = 10_000

export interface RedisCacheOptions {
  redis: Pick<RedisConnections, 'aside'>
  /** Of all keys. */
  prefix?: string
}

/** What Redis did not take. */
interface Unsaid {
  /** JSON; undefined: the key is to be absent. */
  text: string | undefined
  /** Unix ms. */
  until: number
}

/** Undefined for what is no JSON: a cache holds nothing that anyone would miss. */
function parse(text: string | null | undefined): unknown {
  if (text === null || text === undefined) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Asks, unless Redis was silent just now: then one asks, now and again, and nobody else waits. */
function carefully() {
  let silent = false
  let restUntil = 0
  return async function ask<T>(command: () => Promise<T>, always = false): Promise<{ answer: T } | null> {
    const now = performance.now()
    if (now < restUntil && !always) return null
    if (silent) restUntil = now + REST_MS
    try {
      const answer = await command()
      silent = false
      restUntil = 0
      return { answer }
    } catch (error) {
      // What refuses is there: out of memory, it can still be read.
      silent = !isRefusal(error)
      restUntil = silent ? performance.now() + REST_MS : 0
      return null
    }
  }
}

async function write(client: RedisClient, key: string, text: string | undefined, ttlMs: number): Promise<void> {
  if (text === undefined) return void (await client.del(key))
  try {
    await client.set(key, text, 'PX', Math.ceil(ttlMs))
  } catch (error) {
    // Out of memory, Redis still lets go of what is there: a miss is right, the old value is not.
    await client.del(key)
    throw error
  }
}

export function redisCache({ redis, prefix = 'revela:cache:' }: RedisCacheOptions): Cache & { close(): void } {
  const ask = carefully()
  const flights = new Map<string, Promise<unknown>>()
  const unsaid = new Map<string, Unsaid>()
  let timer: NodeJS.Timeout | undefined

  function remember(key: string, entry: Unsaid): void {
    unsaid.delete(key)
    unsaid.set(key, entry)
    if (unsaid.size > UNSAID_MAX) unsaid.delete(unsaid.keys().next().value!)
    timer ??= setTimeout(() => void repeat(), REPEAT_MS).unref()
  }

  /** What is left after the first that fails is for the next time. */
  async function repeat(): Promise<void> {
    for (const [key, entry] of unsaid) {
      const ttlMs = entry.until - Date.now()
      const said = await ask(
        async () => await write(await redis.aside(), key, ttlMs > 0 ? entry.text : undefined, ttlMs),
        true,
      )
      if (!said) break
      // Unless something newer was set meanwhile.
      if (unsaid.get(key) === entry) unsaid.delete(key)
    }
    timer = unsaid.size > 0 ? setTimeout(() => void repeat(), REPEAT_MS).unref() : undefined
  }

  async function read(key: string): Promise<unknown> {
    const found = await ask(async () => await (await redis.aside()).get(key))
    // Set here while Redis was asked, or was away: what it says is older.
    const own = unsaid.get(key)
    return parse(own && own.until > Date.now() ? own.text : found?.answer)
  }

  return {
    get(name) {
      const key = prefix + name
      // Those who ask for the same at once are answered by one reading.
      const flying = flights.get(key)
      if (flying) return flying
      const flight = read(key).finally(() => flights.get(key) === flight && flights.delete(key))
      flights.set(key, flight)
      return flight
    },
    async add(name, value, ttlMs) {
      const key = prefix + name
      const text = JSON.stringify(value) as string | undefined
      if (text === undefined || ttlMs <= 0 || unsaid.has(key)) return
      await ask(async () => await (await redis.aside()).set(key, text, 'PX', Math.ceil(ttlMs), 'NX'))
    },
    async set(name, value, ttlMs) {
      const key = prefix + name
      const text = ttlMs > 0 ? (JSON.stringify(value) as string | undefined) : undefined
      // Whoever asks from now on is not answered by a reading that began before.
      flights.delete(key)
      const until = Date.now() + (text === undefined ? REPEAT_MS : ttlMs)
      const said = await ask(async () => await write(await redis.aside(), key, text, ttlMs), true)
      if (said) unsaid.delete(key)
      else remember(key, { text, until })
    },
    close: () => clearTimeout(timer),
  }
}
