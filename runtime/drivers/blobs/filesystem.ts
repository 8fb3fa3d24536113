/** Blobs as files: `input/{taskId}/…` under one folder, `output/{taskId}/…` under another. */
import { access, rm, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { BlobStore } from '#shared/bindings.ts'
import { copyBlob } from './copy.ts'
import { reach, reachOrNull } from './faults.ts'
import { removeIfEmpty } from './folder.ts'
import { listTaskFolders } from './list.ts'
import { folderOf, pathOf, type BlobFolders } from './paths.ts'
import { readFile } from './read.ts'
import { removeUnfinished, writeFile } from './write.ts'

/** A file that a put adds while its folder is being removed makes that fail once; then both are tried again. */
const REMOVE_TRIES = 5

async function removeFolder(path: string): Promise<void> {
  await reach(rm(path, { recursive: true, force: true, maxRetries: REMOVE_TRIES, retryDelay: 10 }))
}

/**
 * The folders need not exist. They may lie on different file systems, and several processes may share them. Rejects with
 * Problem `unavailable` when the disk is full, read-only, closed to this process or broken.
 */
export function filesystemBlobs(folders: BlobFolders): BlobStore {
  const { inputPath, outputPath } = folders
  return {
    put: async (key, source, signal) => ({ key, ...(await writeFile(pathOf(folders, key), source, signal)) }),
    get: async (key, range) => await readFile(pathOf(folders, key), range),
    asFile: async (key) => {
      const path = pathOf(folders, key)
      const there = await reachOrNull(access(path).then(() => true))
      return there === null ? null : { path, [Symbol.asyncDispose]: async () => {} }
    },
    copy: async (from, to) => await copyBlob(pathOf(folders, from), pathOf(folders, to)),
    delete: async (key) => {
      const path = pathOf(folders, key)
      await reachOrNull(unlink(path))
      await removeIfEmpty(dirname(path))
    },
    deleteTask: async (taskId) => {
      await removeFolder(folderOf(inputPath, taskId))
      await removeFolder(folderOf(outputPath, taskId))
    },
    deleteOutput: async (taskId) => {
      await removeFolder(folderOf(outputPath, taskId))
    },
    tidy: async (taskId, before) => {
      await removeUnfinished(folderOf(inputPath, taskId), before)
      await removeUnfinished(folderOf(outputPath, taskId), before)
    },
    listTasks: async (after, limit) => await listTaskFolders([inputPath, outputPath], after, limit),
  }
}
