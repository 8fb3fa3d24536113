/** Folders of tasks: made, made durable, removed when nothing is left in them. */
import { mkdir, open, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf, isMissing, reach } from './faults.ts'
import { together } from '../together.ts'

/** Times that a folder which another request removes under our hands is made again. */
const FOLDER_TRIES = 10

/** Some file systems keep no journal for folders and refuse to sync one. */
const NO_FOLDER_SYNC: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'])

async function syncFolder(path: string): Promise<void> {
  const handle = await reach(open(path, 'r'))
  try {
    await reach(handle.sync())
  } catch (error) {
    if (!NO_FOLDER_SYNC.has(codeOf(error) ?? '')) throw error
  } finally {
    await handle.close()
  }
}

/** Of many puts at once most wait for the same folder, the one that holds all tasks': one sync serves them. */
const syncTogether = together(syncFolder)

/**
 * Makes the names in a task's folder durable, and the folder's own: whoever made it may not have come that far. Both at
 * once, since a journal writes both in one go.
 */
export async function syncNames(folder: string): Promise<void> {
  await Promise.all([syncFolder(folder), syncTogether(dirname(folder))])
}

/** Makes it durable that names are gone from a task's folder, or that it is gone with them. */
export async function syncGone(folder: string): Promise<void> {
  try {
    await syncFolder(folder)
  } catch (error) {
    if (!isMissing(error)) throw error
    await syncTogether(dirname(folder)).catch((above: unknown) => {
      // Where nothing was ever put nothing can come back.
      if (!isMissing(above)) throw above
    })
  }
}

/**
 * Runs `action` in a folder that exists. Between making it and using it another request may remove it (an aborted put
 * tidies up, a task is deleted), and even making it may fail for that: then it is made again.
 */
export async function inFolder<T>(folder: string, action: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      const created = await reach(mkdir(folder, { recursive: true }))
      if (created !== undefined && created !== folder) await syncAbove(dirname(folder), created)
      return await action()
    } catch (error) {
      if (!isMissing(error) || tries === FOLDER_TRIES) throw error
    }
  }
}

/** The very first put makes the storage folders too; their names are as new as the task's. */
async function syncAbove(root: string, firstCreated: string): Promise<void> {
  const last = dirname(firstCreated)
  for (let path = root; path !== last && path !== dirname(path); path = dirname(path)) await syncFolder(dirname(path))
}

/** Removes a folder if it is empty. Tidying only: whatever goes wrong here is not worth an error of its own. */
export async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => {})
}
