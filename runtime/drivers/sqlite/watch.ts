import type { DatabaseSync } from 'node:sqlite'

/** How often a process asks whether another one has written. */
export const POLL_MS = 1_000

/**
 * Calls `onWrite` when another connection has committed since the last look, one cheap read (PRAGMA data_version) each
 * `pollMs`. A second connection of the same process counts as another: whoever listens must bear a call for nothing.
 * Returns what ends it.
 */
export function watchWrites(db: DatabaseSync, pollMs: number, onWrite: () => void): () => void {
  const statement = db.prepare('PRAGMA data_version')
  const version = (): unknown => {
    try {
      return statement.get()?.['data_version']
    } catch {
      // Closed, or out of order: counted as a write, so that whoever listens reads and learns of it.
      return undefined
    }
  }
  let seen = version()
  const timer = setInterval(() => {
    const current = version()
    if (current === seen) return
    seen = current
    onWrite()
  }, pollMs)
  timer.unref()
  return () => clearInterval(timer)
}
