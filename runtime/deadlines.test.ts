import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Deadline, forgetDeadline, watchDeadline } from './deadlines.ts'

let passed: string[]
let watched: Deadline[]
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  passed = []
  watched = []
})
afterEach(() => {
  watched.forEach(forgetDeadline)
  vi.runAllTimers()
  vi.useRealTimers()
})

/** Taken off when it has passed, unless it is moved on by so many ms the first time. */
function deadlineIn(ms: number, name: string, move = 0): Deadline {
  let moveMs = move
  const deadline: Deadline = {
    at: performance.now() + ms,
    passed() {
      passed.push(`${name} at ${performance.now() - start}`)
      deadline.at += moveMs
      if (moveMs === 0) forgetDeadline(deadline)
      moveMs = 0
    },
  }
  watched.push(deadline)
  watchDeadline(deadline)
  return deadline
}

let start: number
beforeEach(() => {
  start = performance.now()
})

test('each passes at its time, in whatever order they began', () => {
  deadlineIn(500, 'late')
  deadlineIn(100, 'early')
  deadlineIn(300, 'between')
  vi.advanceTimersByTime(1_000)
  expect(passed).toEqual(['early at 100', 'between at 300', 'late at 500'])
})

test('one that is taken off passes no more, and holds none up that comes after it', () => {
  forgetDeadline(deadlineIn(100, 'gone'))
  deadlineIn(300, 'later')
  vi.advanceTimersByTime(200)
  deadlineIn(50, 'new')
  vi.advanceTimersByTime(1_000)
  expect(passed).toEqual(['new at 250', 'later at 300'])
})

test('one that is past passes at once, and no timer is asked for a time before now', () => {
  const asked = vi.spyOn(globalThis, 'setTimeout')
  deadlineIn(-5, 'past', 2)
  vi.advanceTimersByTime(1_000)
  expect(passed.map((each) => each.split(' ')[0])).toEqual(['past', 'past'])
  expect(Math.min(...asked.mock.calls.map(([, ms]) => ms!))).toBe(0)
  asked.mockRestore()
})

test('one that moves passes again', () => {
  deadlineIn(100, 'moved', 150)
  deadlineIn(200, 'other')
  vi.advanceTimersByTime(1_000)
  expect(passed).toEqual(['moved at 100', 'other at 200', 'moved at 250'])
})
