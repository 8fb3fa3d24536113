import { afterEach, describe, expect, it, vi } from 'vitest'
import { createApp } from '#shared/http.ts'
import { inlineFunction, type InvokedFunction } from '../../test/runtime/function.ts'
import { sqliteStores, type Stores } from '../../test/runtime/sqlite.ts'
import { until } from '../../test/runtime/until.ts'
import { checkConfig } from '../loader.ts'
import { scheduleOf, startTimers } from './timer.ts'

const EVERY_MS = 100

afterEach(() => vi.useRealTimers())

interface Run {
  slot: number
  id: string
}

/** A timer function in one "process": its runs, each with the instant it stands for. */
async function timed(
  tasks: Pick<Stores['tasks'], 'claimTick'>,
  work: () => Response | Promise<Response>,
  trigger = {},
) {
  const runs: Run[] = []
  let now = 0
  let most = 0
  const app = createApp()
  app.post('/', async (c) => {
    most = Math.max(most, ++now)
    runs.push({ slot: Date.parse(c.req.header('ce-time')!), id: c.req.header('ce-id')! })
    try {
      return await work()
    } finally {
      now--
    }
  })
  const fn: InvokedFunction = await inlineFunction(app, { timeoutMs: 10_000 })
  fn.fn.config = checkConfig({ trigger: { type: 'timer', everyMs: EVERY_MS, ...trigger }, timeoutMs: 10_000 })
  const { invoke, logger } = fn
  const timers = await startTimers({ functions: [fn.fn], bindings: { tasks }, invoke, logger })
  return {
    fn,
    runs,
    timers,
    most: () => most,
    async stop() {
      await Promise.all(timers.map((timer) => timer.stop()))
      await fn[Symbol.asyncDispose]()
    },
  }
}

const ok = () => new Response(null, { status: 204 })

describe('a timer function', () => {
  it('runs each instant once, over two processes on one file', async () => {
    await using stores = await sqliteStores()
    const both = [await timed(stores.open().tasks, ok), await timed(stores.open().tasks, ok)]
    const slots = () => both.flatMap(({ runs }) => runs.map(({ slot }) => slot))
    await until('six instants have run', () => slots().length >= 6)
    for (const one of both) await one.stop()
    expect(new Set(slots()).size).toBe(slots().length)
    expect(slots().every((slot) => slot % EVERY_MS === 0)).toBe(true)
    expect(both[0]!.runs.concat(both[1]!.runs).every(({ slot, id }) => id === `test.${slot}`)).toBe(true)
  })

  it('that outlives its instant skips those it slept through, and never runs twice at once', async () => {
    await using stores = await sqliteStores()
    const slow = async () => {
      await new Promise((resolve) => setTimeout(resolve, 2.5 * EVERY_MS))
      return ok()
    }
    const timer = await timed(stores.open().tasks, slow)
    await until('three have run', () => timer.runs.length >= 3)
    await timer.stop()
    expect(timer.most()).toBe(1)
    const slots = timer.runs.map(({ slot }) => slot)
    for (let i = 1; i < slots.length; i++) expect(slots[i]! - slots[i - 1]!).toBeGreaterThanOrEqual(3 * EVERY_MS)
  })

  it('that answers no 2xx is told in the log, and its instant is not run again', async () => {
    await using stores = await sqliteStores()
    const timer = await timed(stores.open().tasks, () => new Response(null, { status: 500 }))
    await until('two have run', () => timer.runs.length >= 2)
    await timer.stop()
    const slots = timer.runs.map(({ slot }) => slot)
    expect(new Set(slots).size).toBe(slots.length)
    const line = await timer.fn.line('the failure', ({ msg }) => msg === 'timer run failed')
    expect(line).toMatchObject({ level: 50, function: 'test', status: 500 })
  })

  it('has succeeded also where its body cannot be let go', async () => {
    const body = () => new ReadableStream({ cancel: () => Promise.reject(new Error('died')) })
    const timer = await timed({ claimTick: async () => true }, () => new Response(body()))
    await until('two have run', () => timer.runs.length >= 2)
    await timer.stop()
    expect(timer.fn.lines.filter(({ msg }) => String(msg).startsWith('timer'))).toEqual([])
  })

  it('goes on when the store could not be asked', async () => {
    let asked = 0
    const claimTick = async () => {
      if (++asked === 1) throw new Error('away')
      return true
    }
    const timer = await timed({ claimTick }, ok)
    await until('the next has run', () => timer.runs.length >= 1)
    await timer.stop()
    expect(await timer.fn.line('that', ({ msg }) => msg === 'timer tick failed')).toMatchObject({ reason: 'away' })
  })

  it('stops when the one that runs is over, and starts no other', async () => {
    const end = Promise.withResolvers<void>()
    const timer = await timed({ claimTick: async () => true }, async () => {
      await end.promise
      return ok()
    })
    await until('it runs', () => timer.runs.length === 1)
    let stopped = false
    const stopping = timer.timers[0]!.stop().then(() => (stopped = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(stopped).toBe(false)
    end.resolve()
    await stopping
    expect(timer.runs.length).toBe(1)
    await timer.stop()
  })

  it('waits for an instant that is farther than setTimeout can count', async () => {
    vi.useFakeTimers()
    const far = 2 ** 31 + 5_000
    vi.setSystemTime(0)
    const timer = await timed({ claimTick: async () => true }, ok, { everyMs: far })
    await vi.advanceTimersByTimeAsync(2 ** 31)
    expect(timer.runs).toEqual([])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(timer.runs.map(({ slot }) => slot)).toEqual([far])
    await timer.stop()
  })
})

describe('a schedule', () => {
  it.each([
    [{ everyMs: 100 }, 0, 100],
    [{ everyMs: 100 }, 99, 100],
    [{ everyMs: 100 }, 100, 200],
    [{ cron: '*/5 * * * *' }, Date.UTC(2026, 0, 1, 0, 4, 59, 999), Date.UTC(2026, 0, 1, 0, 5)],
    [{ cron: '0 3 * * *' }, Date.UTC(2026, 2, 29, 3, 0), Date.UTC(2026, 2, 30, 3, 0)],
    [{ cron: '*/10 * * * * *' }, Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 0, 0, 10)],
    [{ cron: '0 0 30 2 *' }, Date.UTC(2026, 0, 1), null],
  ])('%j after %d', async (trigger, now, next) => {
    expect((await scheduleOf(trigger))(now)).toBe(next)
  })
})
