import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Poll, sharedPoll } from './mongodb-poll.ts'

const EVERY_MS = 1_000
const SELDOM_MS = 5_000

let revisions: Map<string, number>
let told: boolean
let changed: string[]
let asked: string[][]
let away: boolean
let poll: Poll

beforeEach(() => {
  vi.useFakeTimers()
  ;[revisions, told, changed, asked, away] = [new Map(), false, [], [], false]
  poll = sharedPoll({
    revisions: async (ids) => {
      asked.push(ids)
      if (away) throw new Error('away')
      return new Map(revisions)
    },
    onChange: (id) => void changed.push(id),
    isTold: () => told,
    everyMs: EVERY_MS,
    seldomMs: SELDOM_MS,
  })
})
afterEach(() => {
  poll.close()
  vi.useRealTimers()
})

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

test('one query for all that are waited for, each time; none while nobody waits', async () => {
  await pass(3 * EVERY_MS)
  poll.add('a')
  poll.add('b')
  await pass(2 * EVERY_MS)
  expect(asked).toEqual([
    ['a', 'b'],
    ['a', 'b'],
  ])
  poll.remove('a')
  poll.remove('b')
  await pass(3 * EVERY_MS)
  expect(poll.count()).toBe(2)
  expect(vi.getTimerCount()).toBe(0)
})

test('the first look tells of each task, since its reader looked before; later ones of what changed, and of what is gone', async () => {
  revisions.set('a', 0).set('b', 0)
  poll.add('a')
  poll.add('b')
  await pass(EVERY_MS)
  expect(changed.splice(0)).toEqual(['a', 'b'])
  await pass(EVERY_MS)
  expect(changed).toEqual([])
  revisions.set('a', 1)
  revisions.delete('b')
  await pass(EVERY_MS)
  expect(changed.splice(0)).toEqual(['a', 'b'])
  await pass(EVERY_MS)
  expect(changed).toEqual([])
})

test('while changes are told of it looks seldom; when they are not, each time, and once more when they are again', async () => {
  told = true
  poll.add('a')
  await pass(SELDOM_MS - EVERY_MS)
  expect(poll.count()).toBe(0)
  await pass(EVERY_MS)
  expect(poll.count()).toBe(1)
  told = false
  await pass(2 * EVERY_MS)
  expect(poll.count()).toBe(3)
  told = true
  await pass(2 * EVERY_MS)
  expect(poll.count()).toBe(4)
})

test('a look that fails is made up for soon, also where changes are told of', async () => {
  told = true
  poll.add('a')
  away = true
  await pass(SELDOM_MS)
  expect([poll.count(), changed]).toEqual([1, []])
  away = false
  await pass(EVERY_MS)
  expect([poll.count(), changed]).toEqual([2, ['a']])
})

test('no second look begins while one is under way', async () => {
  const { promise, resolve } = Promise.withResolvers<Map<string, number>>()
  const query = vi.fn<() => Promise<Map<string, number>>>(() => promise)
  const slow = sharedPoll({
    revisions: query,
    onChange: () => {},
    isTold: () => false,
    everyMs: EVERY_MS,
    seldomMs: SELDOM_MS,
  })
  slow.add('a')
  await pass(3 * EVERY_MS)
  expect(query).toHaveBeenCalledTimes(1)
  resolve(new Map())
  await pass(EVERY_MS)
  expect(query).toHaveBeenCalledTimes(2)
  slow.close()
})
