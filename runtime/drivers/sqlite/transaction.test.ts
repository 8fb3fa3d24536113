import { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { beforeEach, expect, test } from 'vitest'
import { groupCommit, transaction } from './transaction.ts'

let db: DatabaseSync
beforeEach(() => {
  db = new DatabaseSync(':memory:')
  db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY)')
})

const add = (n: number) => db.prepare('INSERT INTO t VALUES (?)').run(n)
const rows = () =>
  db
    .prepare('SELECT n FROM t ORDER BY n')
    .all()
    .map(({ n }) => n)

test('a transaction whose work throws leaves nothing and is over', () => {
  const work = (): void => {
    add(1)
    throw new Error('no')
  }
  expect(() => transaction(db, work)).toThrow('no')
  expect(rows()).toEqual([])
  expect(db.isTransaction).toBe(false)
})

test('a work that throws fails alone; the others of its turn are written once each', async () => {
  const group = groupCommit(db)
  const results = await Promise.allSettled([
    group.commit(() => add(1).changes),
    group.commit(() => {
      add(2)
      throw new Error('no')
    }),
    group.commit(() => add(3).changes),
  ])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(rows()).toEqual([1, 3])
})

test('nothing is told before it is committed', async () => {
  const group = groupCommit(db)
  let told = false
  const committed = group.commit(() => add(1)).then(() => (told = true))
  await Promise.resolve()
  expect(told).toBe(false)
  expect(rows()).toEqual([])
  group.flush()
  expect(rows()).toEqual([1])
  await committed
})

test('a commit that fails is told to all of its turn', async () => {
  const group = groupCommit(db)
  const works = [group.commit(() => add(1)), group.commit(() => add(2))]
  db.close()
  for (const result of await Promise.allSettled(works)) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ERR_INVALID_STATE' } })
  }
})

/** As `now`, and a write that seems to take so long. */
function slowClock() {
  let now = 0
  return { now: () => now, write: (n: number, ms: number) => ((now += ms), add(n)) }
}

test('after a commit as much time goes by before the next, and all that is asked for in it is one', async () => {
  const clock = slowClock()
  const group = groupCommit(db, { now: clock.now, restMaxMs: 60_000 })
  await group.commit(() => clock.write(1, 60_000))
  const later = [group.commit(() => add(2)), setImmediate().then(() => group.commit(() => add(3)))]
  await setImmediate()
  await setImmediate()
  expect(rows()).toEqual([1])
  group.flush()
  await Promise.all(later)
  expect(rows()).toEqual([1, 2, 3])
})

test('once that time is over, a write waits for nothing', async () => {
  const clock = slowClock()
  const group = groupCommit(db, { now: clock.now, restMaxMs: 60_000 })
  await group.commit(() => clock.write(1, 60_000))
  clock.write(2, 60_000)
  await group.commit(() => add(3))
  expect(rows()).toEqual([1, 2, 3])
})
