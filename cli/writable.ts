/** Storage that this process may not write to is told of at the start, with its owner, and not at the first upload. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Config } from '../runtime/config.ts'
import { CommandError } from './report.ts'

type StorageConfig = Pick<
  Config,
  'STORAGE_INPUT_PATH' | 'STORAGE_OUTPUT_PATH' | 'SQLITE_FILE' | 'MONGODB_URI' | 'S3_BUCKET'
>

/** What will be written below: a folder that is not there yet is made in the nearest one that is. */
function nearestFolder(path: string): string {
  let folder = resolve(path)
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder)
  return folder
}

/** Why nothing can be written in `folder`, and what to do; null where it can. */
export function refusalOf(folder: string): string | null {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EROFS') return `${folder} is on a read-only file system.`
  }
  const { uid, gid, mode } = statSync(folder)
  const us = `${process.getuid?.()}:${process.getgid?.()}`
  const asOwner = uid === 0 ? '' : `, or run as its owner (UID=${uid} and GID=${gid} for compose)`
  return (
    `${folder} belongs to ${uid}:${gid} with mode ${(mode & 0o7777).toString(8)}, and this process runs as ${us}. ` +
    `Give it away (chown -R ${us} the folder that is mounted there)${asOwner}.`
  )
}

/** Throws CommandError, one line for each folder that cannot be written to, with the variables that lead there. */
export function checkWritable(config: StorageConfig): void {
  const { STORAGE_INPUT_PATH, STORAGE_OUTPUT_PATH, SQLITE_FILE, MONGODB_URI, S3_BUCKET } = config
  const paths = {
    ...(S3_BUCKET ? {} : { STORAGE_INPUT_PATH, STORAGE_OUTPUT_PATH }),
    ...(MONGODB_URI ? {} : { SQLITE_FILE: dirname(resolve(SQLITE_FILE)) }),
  }
  const names = Map.groupBy(Object.keys(paths), (name) => nearestFolder(paths[name as keyof typeof paths]!))
  const lines = [...names].flatMap(([folder, variables]) => {
    const refusal = refusalOf(folder)
    return refusal === null ? [] : [`${variables.join(', ')}: ${refusal}`]
  })
  if (lines.length > 0) throw new CommandError(`Storage cannot be written to.\n${lines.join('\n')}`)
}
