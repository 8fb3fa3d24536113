/** Opens the one file that holds tasks and queues. */
import { closeSync, fsyncSync, mkdirSync, openSync, statfsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileSystemRefusal, versionRefusal } from './checks.ts'
import { isBusy } from './errors.ts'
import { migrate } from './schema.ts'
import { groupCommit } from './transaction.ts'

/** How long a statement waits for another process's write lock. It holds the event loop, so it is short. */
const BUSY_TIMEOUT_MS = 5_000
/** Bytes to which the log is cut back after a checkpoint. */
const WAL_BYTES_KEPT = 16 * 1024 * 1024

export interface SqliteFile {
  path: string
  /** synchronous=FULL: what is committed here survives a loss of power. For what was acknowledged to a client. */
  durable: DatabaseSync
  /** synchronous=NORMAL: survives the end of the process, perhaps not of the machine. For leases and progress. */
  relaxed: DatabaseSync
  /** Writes on `durable`, in one transaction with all else of this turn of the event loop; resolves when durable. */
  commit<T>(work: () => T): Promise<T>
  /** Commits what still waits and closes both. A second time does nothing. */
  close(): void
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function createFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true })
  if (first === undefined || process.platform === 'win32') return
  // From the bottom up to the parent of the first new one: else the file's folder could be lost with the power.
  for (let each = folder; each !== dirname(first); each = dirname(each)) syncFolder(dirname(each))
}

/** The first switch to WAL needs the file alone and, unlike other statements, does not wait for it. */
function useWal(db: DatabaseSync, deadline: number): void {
  for (;;) {
    try {
      db.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }
}

function connect(path: string, synchronous: 'FULL' | 'NORMAL'): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    useWal(db, Date.now() + BUSY_TIMEOUT_MS)
    db.exec(`PRAGMA synchronous = ${synchronous}; PRAGMA journal_size_limit = ${WAL_BYTES_KEPT}`)
    migrate(db)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Asked of SQLite itself: a Node may be linked to another one than it was built with. */
function runningVersion(): string {
  const db = new DatabaseSync(':memory:')
  try {
    return String(db.prepare('SELECT sqlite_version() AS version').get()?.['version'])
  } finally {
    db.close()
  }
}

/** Throws an Error that says what to do where SQLite or the file system is not safe, or the file cannot be opened. */
export function openSqlite(file: string): SqliteFile {
  const path = resolve(file)
  const folder = dirname(path)
  createFolder(folder)
  const refusal =
    versionRefusal(runningVersion()) ?? fileSystemRefusal(statfsSync(folder).type, folder, process.platform)
  if (refusal !== null) throw new Error(refusal)
  const durable = connect(path, 'FULL')
  const relaxed = connect(path, 'NORMAL')
  const group = groupCommit(durable)
  return {
    path,
    durable,
    relaxed,
    commit: (work) => group.commit(work),
    close: () => {
      if (!durable.isOpen) return
      group.flush()
      relaxed.close()
      durable.close()
    },
  }
}
