/** Transactions on node:sqlite, which is synchronous: no transaction is ever open across an await. */
import type { DatabaseSync } from 'node:sqlite'
import { isBusy, isOutage } from './errors.ts'
import { LOCK_WAIT_MS, steps } from './patience.ts'

/** IMMEDIATE always: a transaction that reads first and writes later would fail when another wrote in between. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (error) {
    // A full disk or an I/O error has already rolled it back.
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

interface Entry {
  run(): void
  succeed(): void
  fail(error: unknown): void
}

export interface GroupCommit {
  /** Runs `work` in a transaction with all that was asked for in this turn of the event loop; resolves when durable. */
  commit<T>(work: () => T): Promise<T>
  /** Commits what still waits, now. Where the lock is another's it is tried again later, unless it is the `last` one. */
  flush(last?: boolean): void
}

/** A commit that took longer waited for the disk or for another process, and its successor need not wait as long. */
const REST_MAX_MS = 20

export interface GroupCommitOptions {
  now?: () => number
  restMaxMs?: number
  /** How long a group waits for another process's lock. */
  lockWaitMs?: number
}

/**
 * One transaction, thus one fsync, for all writes of a turn. A work that throws fails alone; the others are written. The
 * fsync holds the event loop: after each, everything else gets as long, and what is asked for meanwhile shares the next.
 */
export function groupCommit(db: DatabaseSync, options: GroupCommitOptions = {}): GroupCommit {
  const { now = () => performance.now(), restMaxMs = REST_MAX_MS, lockWaitMs = LOCK_WAIT_MS } = options
  let waiting: Entry[] = []
  let notBefore = 0
  let nextTry: (() => number | null) | null = null

  function runAlone(entry: Entry): void {
    try {
      transaction(db, () => entry.run())
      entry.succeed()
    } catch (error) {
      entry.fail(error)
    }
  }

  /** Puts the group back where its lock is another's; false when it is not, or not any more. */
  function tryLater(group: Entry[], error: unknown): boolean {
    const stepMs = isBusy(error) ? (nextTry ??= steps(lockWaitMs))() : null
    if (stepMs === null) return false
    // Whoever comes meanwhile is in the same transaction then.
    waiting = [...group, ...waiting]
    setTimeout(flush, stepMs)
    return true
  }

  function flush(last = false): void {
    const group = waiting
    waiting = []
    if (group.length === 0) return
    const startedAt = now()
    try {
      transaction(db, () => group.forEach((entry) => entry.run()))
      const endedAt = now()
      notBefore = endedAt + Math.min(endedAt - startedAt, restMaxMs)
    } catch (error) {
      if (!last && tryLater(group, error)) return
      nextTry = null
      // Out of order for all alike: asking again for each would only wait the busy timeout out, one by one.
      if (group.length === 1 || isOutage(error)) group.forEach((entry) => entry.fail(error))
      else group.forEach(runAlone)
      return
    }
    nextTry = null
    group.forEach((entry) => entry.succeed())
  }

  function schedule(): void {
    const restMs = notBefore - now()
    if (restMs > 0) setTimeout(flush, restMs)
    else setImmediate(flush)
  }

  function commit<T>(work: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    let result: T
    if (waiting.length === 0) schedule()
    waiting.push({
      run: () => {
        result = work()
      },
      succeed: () => resolve(result),
      fail: reject,
    })
    return promise
  }
  return { commit, flush }
}
