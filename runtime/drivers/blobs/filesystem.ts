/** Blobs as files: `input/{taskId}/…` under one folder, `output/{taskId}/…` under another. */
import { access, rm, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { BlobStore } from '#shared/bindings.ts'
import { timeOfTaskId } from '#shared/task.ts'
import { type BlobKey, uploadKey, uploadTermsKey } from '#shared/variant.ts'
import { copyBlob } from './copy.ts'
import { reach, reachOrNull } from './faults.ts'
import { removeIfEmpty, syncGone } from './folder.ts'
import { listTaskFolders } from './list.ts'
import { checkMark } from './marker.ts'
import { noteOwner, ownerOf } from './owner.ts'
import { checkKey, folderOf, pathOf, rootOf, type BlobFolders } from './paths.ts'
import { readFile } from './read.ts'
import { removeUnfinished, writeFile } from './write.ts'

/** A file that a put adds while its folder is being removed makes that fail once; then both are tried again. */
const REMOVE_TRIES = 5

async function removeFolder(path: string): Promise<void> {
  await reach(rm(path, { recursive: true, force: true, maxRetries: REMOVE_TRIES, retryDelay: 10 }))
}

export interface FilesystemOptions extends BlobFolders {
  /** Each folder was marked, and is away when it has no marker. Default: they need not exist, and are as they are. */
  marked?: boolean | undefined
}

/**
 * The folders may lie on different file systems, and several processes may share them. Rejects with Problem
 * `unavailable` when the disk is full, read-only, closed to this process, broken or not mounted.
 */
export function filesystemBlobs({ marked = false, ...folders }: FilesystemOptions): BlobStore {
  const { inputPath, outputPath } = folders
  /** Before a write, which would make the folder anew below the mount point; and before it is said that a file is gone. */
  const there = async (key: BlobKey): Promise<void> => {
    if (marked) await checkMark(rootOf(folders, key))
  }
  return {
    put: async (key, source, signal) => {
      const path = pathOf(folders, key)
      signal?.throwIfAborted()
      await there(key)
      return { key, ...(await writeFile(path, source, signal)) }
    },
    get: async (key, range) => {
      const blob = await readFile(pathOf(folders, key), range)
      if (blob === null) await there(key)
      return blob
    },
    asFile: async (key) => {
      const path = pathOf(folders, key)
      const found = await reachOrNull(access(path).then(() => true))
      if (found !== null) return { path, [Symbol.asyncDispose]: async () => {} }
      await there(key)
      return null
    },
    copy: async (from, to) => {
      await there(to)
      const copied = await copyBlob(pathOf(folders, from), pathOf(folders, to))
      if (!copied) await there(from)
      return copied
    },
    delete: async (key) => {
      const path = pathOf(folders, key)
      // It must not be called gone where it will be there again.
      if ((await reachOrNull(unlink(path).then(() => true))) === null) await there(key)
      // Nor come back with the power: the caller notes durably that it is gone. Who tried before may not have come so far.
      await syncGone(dirname(path))
      await removeIfEmpty(dirname(path))
    },
    presign: async (key) => {
      checkKey(key)
      return null
    },
    deleteTask: async (taskId) => {
      await removeFolder(folderOf(inputPath, taskId))
      await removeFolder(folderOf(outputPath, taskId))
    },
    tidy: async (taskId, before) => {
      await removeUnfinished(folderOf(inputPath, taskId), before)
      await removeUnfinished(folderOf(outputPath, taskId), before)
      if (timeOfTaskId(taskId) >= before) return
      for (const key of [uploadKey(taskId), uploadTermsKey(taskId)]) await reachOrNull(unlink(pathOf(folders, key)))
      await removeIfEmpty(folderOf(inputPath, taskId))
    },
    listTasks: async (after, limit) => await listTaskFolders([inputPath, outputPath], after, limit),
    owners: async (note) => {
      const roots = [inputPath, outputPath]
      if (marked) for (const root of roots) await checkMark(root)
      // One after the other: whose id the first folder has, the second gets too.
      if (note !== undefined) await noteOwner(outputPath, await noteOwner(inputPath, note))
      const owners = await Promise.all(roots.map(ownerOf))
      return [...new Set(owners.filter((owner) => owner !== null))]
    },
  }
}
