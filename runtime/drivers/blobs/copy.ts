/** A second name, or where that cannot be, a second file. */
import { constants, copyFile, link, open, stat } from 'node:fs/promises'
import { codeOf, reach, reachOrNull } from './faults.ts'
import { inFolder, syncNames } from './folder.ts'
import { linkIsUnsupported, publish, throughTemp } from './write.ts'

/** False when there is nothing at `from`. A `to` that exists stays: a key's bytes never change. */
export async function copyBlob(from: string, to: string): Promise<boolean> {
  if ((await reachOrNull(stat(from))) === null) return false
  try {
    await throughTemp(to, async (temp, folder) => {
      try {
        await inFolder(folder, () => reach(link(from, to)))
      } catch (error) {
        if (linkIsUnsupported(error)) await copyBytes(from, temp, to)
        else if (codeOf(error) !== 'EEXIST') throw error
      }
      await syncNames(folder)
    })
    return true
  } catch (error) {
    // Deleted since we looked.
    if ((await reachOrNull(stat(from))) === null) return false
    throw error
  }
}

/** Through a temp file, because a copy in progress must not be seen under its key. */
async function copyBytes(from: string, temp: string, to: string): Promise<void> {
  await reach(copyFile(from, temp, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE))
  const handle = await reach(open(temp, 'r+'))
  try {
    await reach(handle.sync())
  } finally {
    await handle.close()
  }
  await publish(temp, to)
}
