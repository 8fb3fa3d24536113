import { expect, test, vi } from 'vitest'
import { latest } from './latest.ts'

const LONG_MS = 60_000

test('gives the newest state and forgets those before it', async () => {
  const states = latest(1)
  states.put(2)
  states.put(3)
  expect(await states.take(LONG_MS)).toEqual({ kind: 'state', state: 3 })
})

test('wakes who waits, and says when nothing came', async () => {
  vi.useFakeTimers()
  try {
    const states = latest('first')
    await states.take(LONG_MS)
    const waiting = states.take(LONG_MS)
    states.put('second')
    expect(await waiting).toEqual({ kind: 'state', state: 'second' })
    const silent = states.take(LONG_MS)
    await vi.advanceTimersByTimeAsync(LONG_MS)
    expect(await silent).toEqual({ kind: 'silence' })
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})

test('what was put before the end still comes', async () => {
  const states = latest('last')
  states.end()
  expect(await states.take(LONG_MS)).toEqual({ kind: 'state', state: 'last' })
  expect(await states.take(LONG_MS)).toEqual({ kind: 'ended' })
})

test('a failure comes after the last state', async () => {
  const states = latest('last')
  states.fail(new Error('away'))
  states.end()
  expect(await states.take(LONG_MS)).toMatchObject({ state: 'last' })
  await expect(states.take(LONG_MS)).rejects.toThrow('away')
})
