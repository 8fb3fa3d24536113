/** Where bytes lie and come from. A container opens these for itself, and nothing else. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Bindings, BlobStore, TaskStore } from '#shared/bindings.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { checkOwner } from '#shared/owner.ts'
import type { Config } from '../runtime/config.ts'
import { openFetch, openS3, type S3Config, s3Of } from './s3.ts'

/** What a container opens for itself: bytes never cross its channel. */
export interface ContainerStorage {
  inputPath: string
  outputPath: string
  allowHosts: readonly string[]
  /** The folders were marked by the runtime, so that one without its marker is known to be away. */
  marked?: boolean
  /** Unset: files below the paths. */
  s3?: S3Config | undefined
}

export function storageOf(config: Config): ContainerStorage {
  const { STORAGE_INPUT_PATH: inputPath, STORAGE_OUTPUT_PATH: outputPath, ALLOW_HOSTS: allowHosts } = config
  return { inputPath, outputPath, allowHosts, marked: true, s3: s3Of(config) }
}

async function openBlobs({ s3, ...paths }: ContainerStorage): Promise<BlobStore> {
  if (s3) return await openS3(s3)
  const { filesystemBlobs } = await import('../runtime/drivers/blobs/filesystem.ts')
  return filesystemBlobs(paths)
}

export async function openStorage(storage: ContainerStorage): Promise<Pick<Bindings, 'blobs' | 'fetch'>> {
  return { blobs: await openBlobs(storage), fetch: await openFetch(storage) }
}

/** Noted in the task store: folders were marked for it. */
const MARKED = 'storage-marked'
const MARK_AGAIN_MS = 2 * SECOND_MS
/** How long the start waits for it. */
const MARK_WAIT_MS = SECOND_MS

export interface MarkParts {
  tasks: Pick<TaskStore, 'get' | 'readCursor' | 'writeCursor'>
  blobs: Pick<BlobStore, 'owners' | 'listTasks'>
  onError: (error: unknown) => void
  gcGraceMs: number
  againMs?: number
}

/**
 * Marks the folders that a task store is first used with. A marker that is missing later is not made again: its volume
 * is not mounted, and what is written there would be lost to who mounts it. So all who share a task store must share
 * the folders, too. False where one is away.
 */
async function markFolders({ inputPath, outputPath }: ContainerStorage, { tasks, onError }: MarkParts) {
  let all = true
  const { checkMark, mark } = await import('../runtime/drivers/blobs/marker.ts')
  const folders = [inputPath, outputPath]
  if ((await tasks.readCursor(MARKED)) === null) {
    await Promise.all(folders.map(mark))
    await tasks.writeCursor(MARKED, new Date().toISOString())
  } else {
    // Each read and write asks again; here it is for the log.
    const isAway = (error: unknown): void => {
      all = false
      onError(error)
    }
    for (const folder of folders) await checkMark(folder).catch(isAway)
  }
  return all
}

/**
 * Marks the folders, and says so where the files are not the task store's; the collector asks that again. Goes on beside
 * the start where the task store is away. Resolves with what ends it.
 */
export async function markStorage(storage: ContainerStorage, parts: MarkParts): Promise<() => void> {
  const { onError, gcGraceMs, againMs = MARK_AGAIN_MS } = parts
  const stop = new AbortController()
  const { signal } = stop
  const untilMarked = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        if (!storage.s3 && !(await markFolders(storage, parts))) return
        break
      } catch (error) {
        onError(error)
        await delay(againMs, undefined, { signal, ref: false }).catch(() => undefined)
      }
    }
    if (!signal.aborted) await checkOwner(parts, Date.now() - gcGraceMs)
  }
  const marked = untilMarked().catch((error: unknown) => {
    if (!signal.aborted) onError(error)
  })
  await Promise.race([marked, delay(MARK_WAIT_MS, undefined, { ref: false })])
  return () => stop.abort()
}
