import { describe, expect, it, vi } from 'vitest'
import { until } from '../../../test/runtime/until.ts'
import { pool } from './pool.fixture.ts'

describe('a pool of containers', () => {
  it('starts one on demand, never more than max, and lets the rest wait for a free one', async () => {
    const { all, fetch } = pool({})
    expect(all.length).toBe(0)
    const answers = [fetch(), fetch(), fetch(), fetch()]
    await until('both work', () => all.filter((one) => one.active() === 1).length === 2)
    expect(all.length).toBe(2)
    all[0]!.finish()
    await until('the third has the free place', () => all[0]!.served() === 2)
    all[1]!.finish()
    await until('and the fourth', () => all[1]!.served() === 2)
    for (const one of all) one.finish()
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(all.length).toBe(2)
  })

  it('gives one container no more than `each` invocations at once', async () => {
    const { all, fetch } = pool({ each: 3, max: 1 })
    const answers = [fetch(), fetch(), fetch(), fetch()]
    await until('three run', () => all[0]?.active() === 3)
    expect(all.length).toBe(1)
    all[0]!.finish()
    await until('the fourth runs', () => all[0]!.served() === 4)
    all[0]!.finish()
    await Promise.all(answers)
  })

  it('replaces one after invocationsMax invocations, when it is free', async () => {
    const { all, fetch, alive } = pool({ invocationsMax: 2, max: 1 })
    for (let served = 1; served <= 4; served++) {
      const answer = fetch()
      await until('it runs', () => alive()[0]?.active() === 1)
      alive()[0]!.finish()
      await answer
      expect(all.map((one) => one.served())).toEqual([[1], [2], [2, 1], [2, 2]][served - 1])
    }
    expect(all.every(({ killed }) => killed)).toBe(true)
  })

  it('gives nothing more to one in which a deadline passed, and ends it', async () => {
    const { all, fetch } = pool({ max: 1 })
    const late = fetch()
    await until('it runs', () => all[0]?.active() === 1)
    all[0]!.spoil()
    const next = fetch()
    await until('another runs it', () => all[1]?.active() === 1)
    all[0]!.finish()
    expect(all[0]!.killed).toBe(true)
    all[1]!.finish()
    expect(all[1]!.killed).toBe(false)
    await Promise.all([late, next])
  })

  it('lets one go that was idle for idleMs, and the last one after lastIdleMs', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const { all, fetch, alive } = pool({ idleMs: 1_000, lastIdleMs: 10_000 })
      const answers = [fetch(), fetch()]
      await vi.waitFor(() => expect(all.filter((one) => one.active() === 1).length).toBe(2))
      for (const one of all) one.finish()
      await Promise.all(answers)
      await vi.advanceTimersByTimeAsync(999)
      expect(alive().length).toBe(2)
      await vi.advanceTimersByTimeAsync(1)
      expect(alive().length).toBe(1)
      await vi.advanceTimersByTimeAsync(8_999)
      expect(alive().length).toBe(1)
      await vi.advanceTimersByTimeAsync(1)
      expect(alive().length).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('does not let one go that works again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const { all, fetch, alive, host } = pool({ idleMs: 1_000, lastIdleMs: 1_000 })
      await host.load()
      await vi.advanceTimersByTimeAsync(999)
      const answer = fetch()
      await vi.waitFor(() => expect(all[0]!.active()).toBe(1))
      await vi.advanceTimersByTimeAsync(5_000)
      expect(alive().length).toBe(1)
      all[0]!.finish()
      await answer
    } finally {
      vi.useRealTimers()
    }
  })

  it('reload: what comes next runs in a new one, and the old one finishes first', async () => {
    const { all, fetch, host } = pool({ max: 1 })
    const old = fetch()
    await until('it runs', () => all[0]?.active() === 1)
    await host.reload!()
    expect(all.map(({ killed }) => killed)).toEqual([false, false])
    const next = fetch()
    await until('the new one runs it', () => all[1]!.active() === 1)
    all[0]!.finish()
    expect((await old).status).toBe(200)
    expect(all.map(({ killed }) => killed)).toEqual([true, false])
    all[1]!.finish()
    await next
  })

  it('starts nothing after close, whoever waits', async () => {
    const { all, fetch, host } = pool({ max: 1 })
    void fetch()
    const waiting = Promise.allSettled(Array.from({ length: 5 }, fetch))
    await until('one runs', () => all[0]?.active() === 1)
    await host.close()
    const reasons = (await waiting).map((one) => (one as PromiseRejectedResult).reason.message)
    expect(reasons).toEqual(Array(5).fill('The runtime is closing.'))
    await expect(fetch()).rejects.toThrow('The runtime is closing.')
    expect(all.map(({ killed }) => killed)).toEqual([true])
  })
})
