/** Writing a file so that no reader sees part of it and no crash loses it once it was acknowledged. */
import { createHash, randomUUID } from 'node:crypto'
import { access, link, open, readdir, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ByteSource } from '#shared/bindings.ts'
import { unavailable } from '#shared/errors.ts'
import { KIB } from '#shared/limits.ts'
import { codeOf, isMissing, reach, reachOrNull } from './faults.ts'
import { inFolder, removeIfEmpty, syncNames } from './folder.ts'
import { describeFile } from './read.ts'
import { chunksOf } from './source.ts'

/** Bytes that are gathered before they are written: small chunks of a network would cost a system call each. */
export const WRITE_BYTES = 256 * KIB

/** Begins the name of a file that is being written; no key can spell it. */
const TEMP_PREFIX = '.tmp-'

/** The file system has no hard links, or this file has as many as it may have. */
const NO_LINK: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'])

export function linkIsUnsupported(error: unknown): boolean {
  return NO_LINK.has(codeOf(error) ?? '')
}

export interface Written {
  bytes: number
  /** Lower-case hex. */
  sha256: string
  created: boolean
}

/**
 * Gives a complete, synced temp file its name. True when this call made the name; false when it was there. The temp
 * name is gone in either case. Link, never rename over: whoever was first stays.
 */
export async function publish(temp: string, path: string): Promise<boolean> {
  try {
    await reach(link(temp, path))
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      await reach(unlink(temp))
      return false
    }
    if (!linkIsUnsupported(error)) throw error
    // Without hard links this is the closest: two writers at once may both pass the check, and they write the same.
    if ((await reachOrNull(access(path).then(() => true))) === true) {
      await reach(unlink(temp))
      return false
    }
    await reach(rename(temp, path))
    return true
  }
  await reach(unlink(temp))
  return true
}

/** Runs `fill` on a fresh temp path beside `path`; on any failure the temp file goes, and its folder when empty. */
export async function throughTemp<T>(path: string, fill: (temp: string, folder: string) => Promise<T>): Promise<T> {
  const folder = dirname(path)
  const temp = join(folder, `${TEMP_PREFIX}${randomUUID()}`)
  try {
    return await fill(temp, folder)
  } catch (error) {
    await unlink(temp).catch(() => {})
    await removeIfEmpty(folder)
    // The folder went away while we wrote: the task was deleted. Nothing of ours is left, and a retry may tell.
    throw wentAway(error, folder) ? unavailable('blob store', error) : error
  }
}

/** Removes the temp files of writers that died. Told by their last write, so that a slow one that lives goes on. */
export async function removeUnfinished(folder: string, before: number): Promise<void> {
  const names = (await reachOrNull(readdir(folder))) ?? []
  const temps = names.filter((name) => name.startsWith(TEMP_PREFIX)).map((name) => join(folder, name))
  for (const temp of temps) {
    const stats = await reachOrNull(stat(temp))
    if (stats !== null && stats.mtimeMs < before) await reachOrNull(unlink(temp))
  }
  if (temps.length > 0) await removeIfEmpty(folder)
}

/** ENOENT of our own folder; the source may have such errors too, and they stay its own. */
function wentAway(error: unknown, folder: string): boolean {
  if (!isMissing(error)) return false
  const { path, dest } = error as NodeJS.ErrnoException & { dest?: string }
  return [path, dest].some((one) => one?.startsWith(folder))
}

/** Writes all of `source` under `path`, durably, unless the path is taken: then describes the file that is there. */
export async function writeFile(path: string, source: ByteSource, signal: AbortSignal | undefined): Promise<Written> {
  signal?.throwIfAborted()
  return await throughTemp(path, async (temp, folder) => {
    const handle = await inFolder(folder, () => reach(open(temp, 'wx')))
    let own: Omit<Written, 'created'>
    try {
      own = await fill(handle, source, signal)
      await reach(handle.sync())
    } finally {
      await handle.close()
    }
    signal?.throwIfAborted()
    const created = await publish(temp, path)
    // Also when another put was first: it may not have come to this line, and we are about to vouch for its file.
    await syncNames(folder)
    return created ? { ...own, created } : { ...(await describeFile(path)), created }
  })
}

/** Memory stays at WRITE_BYTES and one chunk, however slow the disk: the source is asked only when a write is done. */
async function fill(handle: FileHandle, source: ByteSource, signal: AbortSignal | undefined) {
  const hash = createHash('sha256')
  let bytes = 0
  let gathered: Uint8Array[] = []
  let gatheredBytes = 0
  for await (const chunk of chunksOf(source, signal)) {
    if (chunk.byteLength === 0) continue
    hash.update(chunk)
    bytes += chunk.byteLength
    gathered.push(chunk)
    gatheredBytes += chunk.byteLength
    if (gatheredBytes < WRITE_BYTES) continue
    await writeAll(handle, gathered)
    gathered = []
    gatheredBytes = 0
  }
  await writeAll(handle, gathered)
  return { bytes, sha256: hash.digest('hex') }
}

async function writeAll(handle: FileHandle, chunks: Uint8Array[]): Promise<void> {
  let left = chunks
  while (left.length > 0) {
    const { bytesWritten } = await reach(handle.writev(left))
    left = after(left, bytesWritten)
  }
}

/** What is left of the chunks after their first `bytes`: a write may be short. */
function after(chunks: Uint8Array[], bytes: number): Uint8Array[] {
  let skipped = bytes
  for (const [index, chunk] of chunks.entries()) {
    if (skipped < chunk.byteLength) return [chunk.subarray(skipped), ...chunks.slice(index + 1)]
    skipped -= chunk.byteLength
  }
  return []
}
