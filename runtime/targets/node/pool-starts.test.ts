/** What a pool does whose containers do not start, or not always. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Problem, problemResponse } from '#shared/errors.ts'
import { START_RETRY_MS } from '#shared/not-started.ts'
import { verdictOf } from '#shared/verdict.ts'
import { until } from '../../../test/runtime/until.ts'
import { FunctionDied, RuntimeClosing } from '../../invocation.ts'
import type { startContainer } from './container.ts'
import { fakes, INIT, pool } from './pool.fixture.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

describe('a pool', () => {
  it('that cannot start another tells each who waits', async () => {
    const { all, start } = fakes()
    const failing: typeof startContainer = (...args) => {
      if (all.length > 0) throw new Error('too many files are open')
      return start(...args)
    }
    const { host, fetch } = pool({ max: 1, start: failing })
    const first = fetch()
    await until('one runs', () => all[0]?.active() === 1)
    const waiting = Promise.allSettled([fetch(), fetch(), fetch()])
    all[0]!.kill()
    const reasons = (await waiting).map((one) => (one as PromiseRejectedResult).reason.cause.message)
    expect(reasons).toEqual(Array(3).fill('too many files are open'))
    all[0]!.finish()
    await first
    await host.close()
  })

  it.each([
    ['cannot be had', () => Promise.reject(new FunctionDied('the container ended while it was starting'))],
    ['is not ready in time', () => Promise.reject(new Error('the container was not ready within 300 ms'))],
  ])('whose container %s never began: the message loses no attempt, and load has the reason', async (_what, ready) => {
    const { start } = fakes()
    const failing: typeof startContainer = (...args) => Object.assign(start(...args), { ready: ready() })
    const { host, fetch } = pool({ start: failing })
    const reason = await ready().catch((error: Error) => error.message)
    const refused = await fetch().catch((error: Problem) => error)
    expect(refused).toMatchObject({ status: 503, code: 'unavailable', cause: { message: reason } })
    const verdict = verdictOf(problemResponse(refused as Problem, { instance: '/' }))
    expect(verdict).toMatchObject({ kind: 'retry', counted: false, afterMs: 5_000 })
    await expect(host.load()).rejects.toThrow(reason)
  })

  it('of a queue keeps the slot of a message for the pause, and lets go of it when the runtime closes', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
    const { start } = fakes()
    const failing: typeof startContainer = (...args) =>
      Object.assign(start(...args), { ready: Promise.reject(new Error('no')) })
    const { host, fetch } = pool({ start: failing, init: { ...INIT, trigger: 'queue' } })
    const outcomes: unknown[] = []
    const first = fetch().catch((error: unknown) => outcomes.push(error))
    const second = fetch().catch((error: unknown) => outcomes.push(error))
    await vi.advanceTimersByTimeAsync(START_RETRY_MS - 1)
    expect(outcomes).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    await Promise.all([first, second])
    expect(outcomes).toMatchObject([{ status: 503 }, { status: 503 }])
    const third = fetch().catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(1)
    await host.close()
    expect(await third).toBeInstanceOf(RuntimeClosing)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('whose container was still starting when the runtime closed says so', async () => {
    const exit = Promise.withResolvers<never>()
    const { start } = fakes()
    const starting: typeof startContainer = (...args) => Object.assign(start(...args), { ready: exit.promise })
    const { host, fetch } = pool({ start: starting })
    const refused = fetch().catch((error: unknown) => error)
    const closed = host.close()
    exit.reject(new FunctionDied('the container ended while it was starting'))
    expect(await refused).toBeInstanceOf(RuntimeClosing)
    await closed
  })
})

/** Whether the next container starts is `outcomes`' word for it: null where it does, else why not; one by one. */
function scripted(options: Parameters<typeof pool>[0] = {}) {
  const { all, start } = fakes()
  const outcomes: ((failure: Error | null) => void)[] = []
  const scriptedStart: typeof startContainer = (...args) => {
    const container = start(...args)
    const { ready } = container
    const outcome = Promise.withResolvers<void>()
    outcomes.push((failure) => (failure ? outcome.reject(failure) : outcome.resolve()))
    return Object.assign(container, { ready: outcome.promise.then(() => ready) })
  }
  const made = pool({ start: scriptedStart, ...options })
  const told: unknown[] = []
  made.host.onStarted!((failure) => told.push(failure))
  const causeOf = async (refused: Promise<unknown>): Promise<unknown> => {
    const error = await refused.catch((problem: Problem) => problem)
    expect(error).toMatchObject({ status: 503, code: 'unavailable' })
    return (error as Problem).cause
  }
  return { ...made, all, outcomes, told, causeOf }
}

describe('after a start that failed', () => {
  const busy = new Error('the machine is busy')

  /** A pool of two in which one start has failed. */
  async function failed(options: Parameters<typeof pool>[0] = {}) {
    const made = scripted(options)
    const first = made.fetch()
    made.outcomes[0]!(busy)
    expect(await made.causeOf(first)).toBe(busy)
    return made
  }

  it('nothing is started until the pause is over, whoever asks, and each is told why', async () => {
    const { fetch, host, all, causeOf } = await failed()
    for (let i = 0; i < 100; i++) expect(await causeOf(fetch())).toBe(busy)
    vi.advanceTimersByTime(START_RETRY_MS - 1)
    expect(await causeOf(fetch())).toBe(busy)
    await expect(host.load()).rejects.toBe(busy)
    await expect(host.describe()).rejects.toBe(busy)
    expect(all.length).toBe(1)
  })

  it('one start shows whether it works again; who asks meanwhile is refused', async () => {
    const { fetch, all, outcomes, causeOf } = await failed()
    vi.advanceTimersByTime(START_RETRY_MS)
    const probe = fetch()
    expect(await causeOf(fetch())).toBe(busy)
    // However long it takes.
    vi.advanceTimersByTime(10 * START_RETRY_MS)
    expect(await causeOf(fetch())).toBe(busy)
    expect(all.length).toBe(2)
    const other = new Error('the machine is still busy')
    outcomes[1]!(other)
    expect(await causeOf(probe)).toBe(other)
    // The pause is counted from the last failure.
    vi.advanceTimersByTime(START_RETRY_MS - 1)
    expect(await causeOf(fetch())).toBe(other)
    expect(all.length).toBe(2)
  })

  it('one that works ends it', async () => {
    const { fetch, all, outcomes } = await failed()
    vi.advanceTimersByTime(START_RETRY_MS)
    const answers = [fetch()]
    outcomes[1]!(null)
    await until('it runs', () => all[1]!.active() === 1)
    answers.push(fetch())
    outcomes[2]!(null)
    await until('another runs beside it', () => all[2]!.active() === 1)
    for (const one of all) one.finish()
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200])
  })

  it('one for which no process can be had is a failure like any other', async () => {
    let tries = 0
    const start = (): never => {
      tries++
      throw busy
    }
    const { fetch, causeOf, told } = scripted({ start })
    expect(await causeOf(fetch())).toBe(busy)
    expect(await causeOf(fetch())).toBe(busy)
    expect(tries).toBe(1)
    vi.advanceTimersByTime(START_RETRY_MS)
    expect(await causeOf(fetch())).toBe(busy)
    expect(await causeOf(fetch())).toBe(busy)
    expect(tries).toBe(2)
    expect(told).toEqual([busy, busy])
  })

  it('what runs already is given work, and starts are paused all the same', async () => {
    const { fetch, all, outcomes, causeOf } = scripted()
    const first = fetch()
    outcomes[0]!(null)
    await until('it runs', () => all[0]!.active() === 1)
    const second = fetch()
    outcomes[1]!(busy)
    expect(await causeOf(second)).toBe(busy)
    expect(await causeOf(fetch())).toBe(busy)
    all[0]!.finish()
    await first
    const third = fetch()
    await until('it runs again', () => all[0]!.active() === 1)
    expect(await causeOf(fetch())).toBe(busy)
    all[0]!.finish()
    await third
    expect(all.length).toBe(2)
  })

  it('who waited for the one that was starting is refused with it', async () => {
    const { fetch, all, outcomes, causeOf } = scripted({ max: 1 })
    const asked = [fetch(), fetch(), fetch()]
    outcomes[0]!(busy)
    expect(await Promise.all(asked.map(causeOf))).toEqual([busy, busy, busy])
    expect(all.length).toBe(1)
  })

  it('a reload starts at once: the code may be mended', async () => {
    const { fetch, host, all, outcomes, told } = await failed()
    const broken = host.reload!()
    outcomes[1]!(new Error('a typo'))
    await expect(broken).rejects.toThrow('a typo')
    const mended = host.reload!()
    outcomes[2]!(null)
    await mended
    expect(told.map((failure) => (failure as Error | null)?.message)).toEqual([busy.message, 'a typo', undefined])
    const answer = fetch()
    await until('it runs', () => all[2]!.active() === 1)
    all[2]!.finish()
    expect((await answer).status).toBe(200)
    expect(all.length).toBe(3)
  })

  it('what a reload ends while it is starting is no failure of the new code', async () => {
    const { fetch, host, all, outcomes, told } = scripted({ max: 1 })
    const waiting = fetch()
    const reloaded = host.reload!()
    outcomes[0]!(new FunctionDied('the container ended while it was starting'))
    outcomes[1]!(null)
    await reloaded
    await until('it runs in the new one', () => all[1]!.active() === 1)
    all[1]!.finish()
    expect((await waiting).status).toBe(200)
    expect(told).toEqual([null])
  })

  it('what a drain ends while it is starting is no failure of the function', async () => {
    const { fetch, host, outcomes, told } = await failed()
    vi.advanceTimersByTime(START_RETRY_MS)
    const probe = fetch().catch((error: unknown) => error)
    const closed = host.close()
    outcomes[1]!(new FunctionDied('the container ended while it was starting'))
    expect(await probe).toBeInstanceOf(RuntimeClosing)
    await closed
    expect(told).toEqual([busy])
  })
})
