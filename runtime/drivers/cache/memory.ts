/** The cache of a single process: a bounded LRU with a lifetime for each entry. */
import { LRUCache } from 'lru-cache'
import type { Cache } from '#shared/bindings.ts'
import { MIB } from '#shared/limits.ts'

/** Some 2,000 tasks of many variants. Parsed, JSON takes more than its text. */
const CACHE_BYTES_MAX = 16 * MIB

export interface MemoryCacheOptions {
  /** Entries beyond which the one that was used longest ago goes. */
  maxEntries: number
  /** Bytes of all keys and values, as the UTF-8 of their JSON, beyond which it goes too. Default CACHE_BYTES_MAX. */
  maxBytes?: number
}

/** Wrapped, because lru-cache takes null and undefined for "nothing there", and null is a JSON value. */
interface Entry {
  value: unknown
  /** Of its JSON. */
  bytes: number
}

/** A copy as another process would read it: JSON, and frozen, so that no reader changes what the next one gets. */
function frozenCopy(value: unknown): Entry | undefined {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) return undefined
  const copy = JSON.parse(text, (_key, part: unknown) => Object.freeze(part)) as unknown
  return { value: copy, bytes: Buffer.byteLength(text) }
}

/** Misses are `undefined`. What comes back is frozen and shared: copying it on every hit would cost more than the hit. */
export function memoryCache({ maxEntries, maxBytes = CACHE_BYTES_MAX }: MemoryCacheOptions): Cache {
  const entries = new LRUCache<string, Entry>({
    max: maxEntries,
    maxSize: maxBytes,
    sizeCalculation: ({ bytes }, key) => bytes + Buffer.byteLength(key),
    ttlResolution: 1,
  })

  async function set(key: string, value: unknown, ttlMs: number): Promise<void> {
    // lru-cache takes a ttl of 0 for "for ever".
    const entry = ttlMs > 0 ? frozenCopy(value) : undefined
    if (entry === undefined) entries.delete(key)
    else entries.set(key, entry, { ttl: ttlMs })
  }

  return {
    get: async (key) => entries.get(key)?.value,
    add: async (key, value, ttlMs) => {
      if (!entries.has(key)) await set(key, value, ttlMs)
    },
    set,
  }
}
