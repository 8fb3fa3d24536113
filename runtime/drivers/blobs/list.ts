/** Task folders in id order, page by page. */
import { opendir } from 'node:fs/promises'
import { TASK_ID } from '#shared/task.ts'
import { reachOrNull } from './faults.ts'

/** Entries of one system call's answer. */
const ENTRIES_PER_READ = 1_000

/**
 * The first `limit` task ids after `after` over all roots, in id order. A folder comes in no order, so each is walked
 * whole; at most twice `limit` ids are held, however many there are. What is no task's folder is ignored.
 */
export async function listTaskFolders(roots: readonly string[], after: string, limit: number): Promise<string[]> {
  if (limit < 1) return []
  let ids = new Set<string>()
  const keepFirst = (): void => {
    ids = new Set([...ids].sort().slice(0, limit))
  }
  for (const root of roots) {
    for await (const id of taskFolders(root)) {
      if (id <= after) continue
      ids.add(id)
      if (ids.size >= 2 * limit) keepFirst()
    }
  }
  keepFirst()
  return [...ids]
}

async function* taskFolders(root: string): AsyncGenerator<string> {
  const folder = await reachOrNull(opendir(root, { bufferSize: ENTRIES_PER_READ }))
  if (folder === null) return
  // Ends by itself, and closes the folder, also when the reader leaves early.
  for await (const entry of folder) {
    if (entry.isDirectory() && TASK_ID.test(entry.name)) yield entry.name
  }
}
