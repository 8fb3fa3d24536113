/** Folders of tasks: made, made durable, removed when nothing is left in them. */
import { mkdir, open, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf, isMissing, reach } from './faults.ts'

/** Times that a folder which another request removes under our hands is made again. */
const FOLDER_TRIES = 5

/** Some file systems keep no journal for folders and refuse to sync one. */
const NO_FOLDER_SYNC: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP'])

/** A name is durable only when its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await reach(open(path, 'r'))
  try {
    await reach(handle.sync())
  } catch (error) {
    if (!NO_FOLDER_SYNC.has(codeOf(error) ?? '')) throw error
  } finally {
    await handle.close()
  }
}

/**
 * Runs `action` in a folder that exists. Between making it and using it another request may remove it (an aborted put
 * tidies up, a task is deleted): then it is made again. New folders are synced into their parents.
 */
export async function inFolder<T>(folder: string, action: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const created = await reach(mkdir(folder, { recursive: true }))
    try {
      if (created !== undefined) await syncParents(folder, created)
      return await action()
    } catch (error) {
      if (!isMissing(error) || tries === FOLDER_TRIES) throw error
    }
  }
}

async function syncParents(folder: string, firstCreated: string): Promise<void> {
  const last = dirname(firstCreated)
  for (let parent = dirname(folder); ; parent = dirname(parent)) {
    await syncFolder(parent)
    if (parent === last || parent === dirname(parent)) return
  }
}

/** Removes a folder if it is empty. Tidying only: whatever goes wrong here is not worth an error of its own. */
export async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => {})
}
