/** Tells an SQLite that cannot serve right now from a statement that is wrong. */
import { Problem, unavailable } from '#shared/errors.ts'

/** Primary result codes (https://sqlite.org/rescode.html) that say nothing against the statement. */
const OUTAGES: ReadonlySet<number> = new Set([
  3, // PERM
  5, // BUSY
  6, // LOCKED
  7, // NOMEM
  8, // READONLY
  9, // INTERRUPT
  10, // IOERR
  11, // CORRUPT
  13, // FULL
  14, // CANTOPEN
  15, // PROTOCOL
  26, // NOTADB
])

/** The low byte of an extended result code is the primary one. */
function primaryCode(error: unknown): number | null {
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return null
  return error.errcode & 0xff
}

export function isBusy(error: unknown): boolean {
  return primaryCode(error) === 5
}

export function isOutage(error: unknown): boolean {
  const code = primaryCode(error)
  if (code !== null) return OUTAGES.has(code)
  // What node:sqlite throws once the file is closed.
  return error instanceof Error && 'code' in error && error.code === 'ERR_INVALID_STATE'
}

/** The error to reject with: Problem `unavailable` for an outage of `what`, else the error itself. */
function asProblem(what: string, error: unknown): unknown {
  return !(error instanceof Problem) && isOutage(error) ? unavailable(what, error) : error
}

/** Runs synchronous work as a promise, with outages as problems. */
export async function attempt<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asProblem(what, error)
  }
}
