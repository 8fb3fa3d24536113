/** Tells a storage folder from the empty mount point of a volume that is away: the first start leaves a file in it. */
import { access, open } from 'node:fs/promises'
import { join } from 'node:path'
import { unavailable } from '#shared/errors.ts'
import { codeOf, reach, reachOrNull } from './faults.ts'
import { inFolder, syncNames } from './folder.ts'

export const MARKER = '.revela-storage'
const TEXT =
  'Without this file the folder counts as a volume that is not mounted, and nothing is read or written here.\n'

/** Makes the folder and the file in it, both durable when it resolves. One that is there stays. */
export async function mark(folder: string): Promise<void> {
  try {
    const handle = await inFolder(folder, () => reach(open(join(folder, MARKER), 'wx')))
    try {
      await reach(handle.writeFile(TEXT))
      await reach(handle.sync())
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
  await syncNames(folder)
}

/** Rejects with Problem `unavailable` where the file is not there. */
export async function checkMark(folder: string): Promise<void> {
  if ((await reachOrNull(access(join(folder, MARKER)).then(() => true))) !== null) return
  const hint = 'Is its volume mounted? If it was emptied on purpose, make that file in it.'
  throw unavailable('blob store', new Error(`There is no ${MARKER} in ${folder}. ${hint}`))
}
