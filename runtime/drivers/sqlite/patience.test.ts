import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LOCK_WAIT_MS, steps, whenFree } from './patience.ts'

const busy = Object.assign(new Error('database is locked'), { errcode: 5 })

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

test('waits ever longer, up to a bound, and no longer than it may in all', () => {
  const next = steps(1_000)
  const waited: number[] = []
  for (let stepMs = next(); stepMs !== null; stepMs = next()) {
    waited.push(stepMs)
    vi.advanceTimersByTime(stepMs)
  }
  expect(waited).toEqual([5, 10, 20, 40, 80, 160, 200, 200, 200, 85])
})

test('a try that meets nobody is made at once, and only once', async () => {
  let tries = 0
  const work = (): number => ++tries
  const answer = whenFree(work, LOCK_WAIT_MS)
  expect(tries).toBe(1)
  expect(await answer).toBe(1)
})

test('tries again while the lock is another’s, and for no other reason', async () => {
  let tries = 0
  const work = (): number => {
    if (++tries < 4) throw busy
    return tries
  }
  expect(await whenFree(work, LOCK_WAIT_MS)).toBe(4)
  const wrong = new Error('no such table')
  const failing = vi.fn<() => never>(() => {
    throw wrong
  })
  await expect(whenFree(failing, LOCK_WAIT_MS)).rejects.toBe(wrong)
  expect(failing).toHaveBeenCalledTimes(1)
})

test('without time to wait there is one try', async () => {
  const failing = vi.fn<() => never>(() => {
    throw busy
  })
  await expect(whenFree(failing, 0)).rejects.toBe(busy)
  expect(failing).toHaveBeenCalledTimes(1)
})
