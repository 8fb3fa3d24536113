/** Bytes that have a path while their process lives, and are gone with it however it ends. */
import { randomUUID } from 'node:crypto'
import { access, open, rm, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reach } from './faults.ts'

/** Linux has a path for each open file, also for one without a name. */
const OPEN_FILES = '/proc/self/fd'

/**
 * In the system's folder for such, until it is disposed of. Containers, and runtimes, are ended by SIGKILL, after which
 * nobody tidies up: so the file loses its name before its first byte, and the kernel frees it with the process. Where no
 * path leads to an open file it keeps the name. `openFiles`: for tests.
 */
export async function tempFile(source: AsyncIterable<Uint8Array>, openFiles = OPEN_FILES) {
  const name = join(tmpdir(), `revela-${randomUUID()}`)
  const handle = await reach(open(name, 'wx', 0o600))
  const path = join(openFiles, String(handle.fd))
  const isNameless = await access(path)
    .then(() => unlink(name))
    .then(
      () => true,
      () => false,
    )
  const dispose = async (): Promise<void> => {
    await handle.close()
    if (!isNameless) await rm(name, { force: true })
  }
  try {
    await reach(handle.writeFile(source))
  } catch (error) {
    await dispose()
    throw error
  }
  return { path: isNameless ? path : name, [Symbol.asyncDispose]: dispose }
}
