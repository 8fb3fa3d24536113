/** What a failing file system call means. */
import { unavailable } from '#shared/errors.ts'

/** The disk is full, broken, read-only, closed to us, or out of descriptors: none of it is the caller's fault. */
const STORE_AWAY: ReadonlySet<string> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EACCES',
  'EIO',
  'ESTALE',
  'EMFILE',
  'ENFILE',
])

export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

export function isMissing(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** Waits for a file system call; where the store is what failed, rejects with Problem `unavailable`. */
export async function reach<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    throw STORE_AWAY.has(codeOf(error) ?? '') ? unavailable('blob store', error) : error
  }
}

/** As reach, but null where the file or its folder is not there. */
export async function reachOrNull<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await reach(call)
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}
