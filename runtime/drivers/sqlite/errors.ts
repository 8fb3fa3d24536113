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

export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('errcode' in error && typeof error.errcode === 'number') return OUTAGES.has(error.errcode & 0xff)
  // What node:sqlite throws once the file is closed.
  return 'code' in error && error.code === 'ERR_INVALID_STATE'
}

/** The error to reject with: Problem `unavailable` for an outage of `what`, else the error itself. */
export function asProblem(what: string, error: unknown): unknown {
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
