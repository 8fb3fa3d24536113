/** The composition root: the only file that names drivers. Each is imported when it is chosen, and only then. */
import type { Bindings } from '#shared/bindings.ts'
import type { QueueDriver } from '#shared/consumer.ts'
import type { Config } from './config.ts'
import type { ContainerInit } from './container-protocol.ts'
import type { OpenBindings } from './guard.ts'
import { CACHE_ENTRIES_MAX } from './limits.ts'
import { createLinks, type LinkSigner } from './links.ts'

export interface RuntimeBindings extends OpenBindings {
  queue: QueueDriver
  links: LinkSigner
  close(): Promise<void>
}

type ContainerBindings = Pick<Bindings, 'blobs' | 'fetch'>

/** What a container opens for itself: bytes never cross its IPC channel. */
export async function openContainerBindings({ storage, allowHosts }: Pick<ContainerInit, 'storage' | 'allowHosts'>): Promise<ContainerBindings> {
  const [{ filesystemBlobs }, { undiciFetch }] = await Promise.all([import('./drivers/blobs/filesystem.ts'), import('./drivers/fetch/undici.ts')])
  return { blobs: filesystemBlobs(storage), fetch: undiciFetch({ allowHosts }) }
}

/** The embedded stack: one SQLite file, files, memory. */
export async function openBindings(config: Config): Promise<RuntimeBindings> {
  const [{ openSqlite }, { sqliteTasks }, { sqliteQueue }, { memoryCache }, { filesystemBlobs }, { undiciFetch }] = await Promise.all([
    import('./drivers/sqlite/file.ts'),
    import('./drivers/tasks/sqlite.ts'),
    import('./drivers/queue/sqlite.ts'),
    import('./drivers/cache/memory.ts'),
    import('./drivers/blobs/filesystem.ts'),
    import('./drivers/fetch/undici.ts'),
  ])
  const file = openSqlite(config.SQLITE_FILE)
  const queue = sqliteQueue({ file })
  const tasks = sqliteTasks({ file, enqueue: (message) => queue.enqueue(message) })
  const fetch = undiciFetch({ allowHosts: config.ALLOW_HOSTS })
  return {
    tasks,
    queue,
    cache: memoryCache({ maxEntries: CACHE_ENTRIES_MAX }),
    blobs: filesystemBlobs({ inputPath: config.STORAGE_INPUT_PATH, outputPath: config.STORAGE_OUTPUT_PATH }),
    fetch,
    links: createLinks(config),
    async close() {
      await queue.close()
      await tasks.close()
      await fetch.close()
      file.close()
    },
  }
}
