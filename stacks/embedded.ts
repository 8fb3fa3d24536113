/** The embedded default: one SQLite file for tasks and queue, memory for the rest; no server is needed. */
import type { RateLimit } from '#shared/edge.ts'
import type { Config } from '../runtime/config.ts'
import { memoryCache } from '../runtime/drivers/cache/memory.ts'
import { sqliteQueue } from '../runtime/drivers/queue/sqlite.ts'
import { openSqlite } from '../runtime/drivers/sqlite/file.ts'
import { sqliteTasks } from '../runtime/drivers/tasks/sqlite.ts'
import { CACHE_ENTRIES_MAX } from '../runtime/limits.ts'
import type { OpenStores } from './local.ts'

async function openRateLimit({ RATE_LIMIT }: Config): Promise<RateLimit | null> {
  if (!RATE_LIMIT) return null
  const { memoryRateLimit } = await import('../runtime/drivers/rate-limit/memory.ts')
  return memoryRateLimit(RATE_LIMIT)
}

export const openEmbedded: OpenStores = async (config, options) => {
  const rateLimit = await openRateLimit(config)
  const file = openSqlite(config.SQLITE_FILE)
  const queue = sqliteQueue({ file, ...options })
  const tasks = sqliteTasks({ file, enqueue: (message) => queue.enqueue(message) })
  return {
    tasks,
    queue,
    cache: memoryCache({ maxEntries: CACHE_ENTRIES_MAX }),
    rateLimit,
    async close() {
      await queue.close()
      await tasks.close()
      file.close()
    },
  }
}
