/** The composition root: the only file that names drivers. Each is imported when it is chosen, and only then. */
import type { Bindings } from '#shared/bindings.ts'
import type { QueueDriver } from '#shared/consumer.ts'
import type { LinkSigner, RateLimit } from '#shared/edge.ts'
import type { Config } from './config.ts'
import type { OpenBindings } from './guard.ts'
import { CACHE_ENTRIES_MAX } from './limits.ts'

export interface RuntimeBindings extends OpenBindings {
  queue: QueueDriver
  links: LinkSigner
  /** Null where RATE_LIMIT is unset. */
  rateLimit: RateLimit | null
  close(): Promise<void>
}

/** What a container opens for itself: bytes never cross its IPC channel. */
export interface ContainerStorage {
  inputPath: string
  outputPath: string
  allowHosts: readonly string[]
}

export async function openContainerBindings(storage: ContainerStorage): Promise<Pick<Bindings, 'blobs' | 'fetch'>> {
  const { filesystemBlobs } = await import('./drivers/blobs/filesystem.ts')
  const { undiciFetch } = await import('./drivers/fetch/undici.ts')
  return { blobs: filesystemBlobs(storage), fetch: undiciFetch(storage) }
}

export function storageOf(config: Config): ContainerStorage {
  const { STORAGE_INPUT_PATH: inputPath, STORAGE_OUTPUT_PATH: outputPath, ALLOW_HOSTS: allowHosts } = config
  return { inputPath, outputPath, allowHosts }
}

async function openLinks({ API_KEY, SIGNING_KEYS, LINK_TTL, PUBLIC_URL }: Config): Promise<LinkSigner> {
  const { derivedKey, hmacLinks } = await import('./drivers/links/hmac.ts')
  const keys = API_KEY?.[0] ? (SIGNING_KEYS ?? [derivedKey(API_KEY[0])]) : []
  return hmacLinks({ keys, ttlMs: LINK_TTL, publicUrl: PUBLIC_URL })
}

async function openRateLimit({ RATE_LIMIT }: Config): Promise<RateLimit | null> {
  if (!RATE_LIMIT) return null
  const { memoryRateLimit } = await import('./drivers/rate-limit/memory.ts')
  return memoryRateLimit(RATE_LIMIT)
}

export interface OpenOptions {
  /** Told of what fails beside any call: a queue that could not take a message, or note its verdict. */
  onError?: (error: unknown) => void
  /** How long a message that is worked on stays its worker's, without news of it. */
  leaseMs?: number
}

/** The embedded stack: one SQLite file for tasks and queue, files, memory. */
export async function openBindings(config: Config, options: OpenOptions = {}): Promise<RuntimeBindings> {
  const { openSqlite } = await import('./drivers/sqlite/file.ts')
  const { sqliteTasks } = await import('./drivers/tasks/sqlite.ts')
  const { sqliteQueue } = await import('./drivers/queue/sqlite.ts')
  const { memoryCache } = await import('./drivers/cache/memory.ts')
  const { blobs, fetch } = await openContainerBindings(storageOf(config))
  const links = await openLinks(config)
  const rateLimit = await openRateLimit(config)
  const file = openSqlite(config.SQLITE_FILE)
  const queue = sqliteQueue({ file, ...options })
  const tasks = sqliteTasks({ file, enqueue: (message) => queue.enqueue(message) })
  return {
    tasks,
    queue,
    cache: memoryCache({ maxEntries: CACHE_ENTRIES_MAX }),
    blobs,
    fetch,
    links,
    rateLimit,
    async close() {
      await queue.close()
      await tasks.close()
      file.close()
    },
  }
}
