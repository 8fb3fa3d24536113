/** Where a key's file lies. The only place that turns a key into a path or a name, and it refuses every other spelling. */
import { join } from 'node:path'
import { TASK_ID } from '#shared/task.ts'
import { BLOB_KEY, type BlobKey } from '#shared/variant.ts'

export interface BlobFolders {
  /** Folder of the originals. */
  inputPath: string
  /** Folder of the variants. */
  outputPath: string
}

/** Throws TypeError on what is no blob key: nothing of a request becomes a path but what this grammar lets through. */
export function checkKey(key: BlobKey): BlobKey {
  if (!BLOB_KEY.test(key)) throw new TypeError(`expected a blob key, got ${JSON.stringify(key)}`)
  return key
}

/** Throws TypeError on what is no task id. */
export function checkTaskId(taskId: string): string {
  if (!TASK_ID.test(taskId)) throw new TypeError(`expected a task id, got ${JSON.stringify(taskId)}`)
  return taskId
}

/** The folder that the key's file lies below. */
export function rootOf({ inputPath, outputPath }: BlobFolders, key: BlobKey): string {
  return checkKey(key).startsWith('input/') ? inputPath : outputPath
}

export function pathOf(folders: BlobFolders, key: BlobKey): string {
  const [, taskId, file] = checkKey(key).split('/') as [string, string, string]
  return join(rootOf(folders, key), taskId, file)
}

export function folderOf(root: string, taskId: string): string {
  return join(root, checkTaskId(taskId))
}
