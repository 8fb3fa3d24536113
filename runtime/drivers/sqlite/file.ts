/** Opens the one file that holds tasks and queues. */
import { closeSync, fsyncSync, mkdirSync, openSync, statfsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileSystemRefusal, versionRefusal } from './checks.ts'
import { isBusy } from './errors.ts'
import { LOCK_TRY_MS, LOCK_WAIT_MS, whenFree } from './patience.ts'
import { migrate } from './schema.ts'
import { groupCommit, transaction } from './transaction.ts'

/** Bytes to which the log is cut back after a checkpoint. */
const WAL_BYTES_KEPT = 16 * 1024 * 1024
/** SQLite's default size. */
const PAGE_BYTES = 4096
/** A checkpoint syncs the whole file: it comes when the log has as much as it keeps, a quarter as often as by default. */
const CHECKPOINT_PAGES = WAL_BYTES_KEPT / PAGE_BYTES

export interface SqliteFile {
  path: string
  /** synchronous=FULL: what is committed here survives a loss of power. For what was acknowledged to a client. */
  durable: DatabaseSync
  /** synchronous=NORMAL: survives the end of the process, perhaps not of the machine. For leases and progress. */
  relaxed: DatabaseSync
  /** Writes on `durable`, in one transaction with all else of this turn of the event loop; resolves when durable. */
  commit<T>(work: () => T): Promise<T>
  /** Writes on `relaxed`, in a transaction of its own. As `commit`, it waits while another process writes. */
  write<T>(work: () => T): Promise<T>
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

function setBusyTimeout(db: DatabaseSync, ms: number): void {
  db.exec(`PRAGMA busy_timeout = ${ms}`)
}

function connect(path: string, synchronous: 'FULL' | 'NORMAL'): DatabaseSync {
  // Nobody is served yet: the start may wait as it is.
  const db = new DatabaseSync(path, { timeout: LOCK_WAIT_MS })
  try {
    useWal(db, Date.now() + LOCK_WAIT_MS)
    db.exec(`PRAGMA synchronous = ${synchronous}; PRAGMA journal_size_limit = ${WAL_BYTES_KEPT}`)
    db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    migrate(db)
    setBusyTimeout(db, LOCK_TRY_MS)
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
export function openSqlite(file: string, lockWaitMs = LOCK_WAIT_MS): SqliteFile {
  const path = resolve(file)
  const folder = dirname(path)
  createFolder(folder)
  const refusal =
    versionRefusal(runningVersion()) ?? fileSystemRefusal(statfsSync(folder).type, folder, process.platform)
  if (refusal !== null) throw new Error(refusal)
  const durable = connect(path, 'FULL')
  const relaxed = connect(path, 'NORMAL')
  const group = groupCommit(durable, { lockWaitMs })
  return {
    path,
    durable,
    relaxed,
    commit: (work) => group.commit(work),
    write: (work) => whenFree(() => transaction(relaxed, work), lockWaitMs),
    close: () => {
      if (!durable.isOpen) return
      // The last ones have no later.
      setBusyTimeout(durable, lockWaitMs)
      group.flush(true)
      relaxed.close()
      durable.close()
    },
  }
}
