/** The embedded stores on a file of their own, as one or several processes would open it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteQueue } from '../../runtime/drivers/queue/sqlite.ts'
import { openSqlite } from '../../runtime/drivers/sqlite/file.ts'
import { sqliteTasks } from '../../runtime/drivers/tasks/sqlite.ts'

export type Stores = ReturnType<typeof openStores>

function openStores(path: string) {
  const file = openSqlite(path)
  const queue = sqliteQueue({ file, pollMs: 20 })
  const tasks = sqliteTasks({ file, enqueue: (message) => queue.enqueue(message) })
  return {
    queue,
    tasks,
    async close() {
      await queue.close()
      await tasks.close()
      file.close()
    },
  }
}

/** `open` opens the same file once more; all are closed at the end. */
export async function sqliteStores(): Promise<{ open: () => Stores } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'revela-stores-'))
  const opened: Stores[] = []
  return {
    open() {
      const stores = openStores(join(folder, 'tasks.sqlite'))
      opened.push(stores)
      return stores
    },
    async [Symbol.asyncDispose]() {
      for (const stores of opened) await stores.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
