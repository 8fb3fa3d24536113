/**
 * A lock that ends with its process, however that ends, and that processes in different containers of one machine see:
 * SQLite's, which is fcntl's. A file with a pid in it is neither, and Node has no flock.
 */
import { DatabaseSync } from 'node:sqlite'

const SQLITE_BUSY = 5

// A connection that nothing refers to is collected, and its lock with it.
const held = new Set<DatabaseSync>()

/** Null when somebody has it. Nothing is ever written to the file. */
export function tryLock(file: string): (() => void) | null {
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    // Nothing will be written, so there is nothing to note on disk.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    held.add(database)
    return () => {
      if (held.delete(database)) database.close()
    }
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return null
    throw error
  }
}
