/** Transactions on node:sqlite, which is synchronous: no transaction is ever open across an await. */
import type { DatabaseSync } from 'node:sqlite'
import { isOutage } from './errors.ts'

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
  /** Commits what still waits, now. */
  flush(): void
}

/** One transaction, thus one fsync, for all writes of a turn. A work that throws fails alone; the others are written. */
export function groupCommit(db: DatabaseSync): GroupCommit {
  let waiting: Entry[] = []

  function runAlone(entry: Entry): void {
    try {
      transaction(db, () => entry.run())
      entry.succeed()
    } catch (error) {
      entry.fail(error)
    }
  }

  function flush(): void {
    const group = waiting
    waiting = []
    if (group.length === 0) return
    try {
      transaction(db, () => group.forEach((entry) => entry.run()))
    } catch (error) {
      // Out of order for all alike: asking again for each would only wait the busy timeout out, one by one.
      if (group.length === 1 || isOutage(error)) group.forEach((entry) => entry.fail(error))
      else group.forEach(runAlone)
      return
    }
    group.forEach((entry) => entry.succeed())
  }

  function commit<T>(work: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    let result: T
    if (waiting.length === 0) setImmediate(flush)
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
