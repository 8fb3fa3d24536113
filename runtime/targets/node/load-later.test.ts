import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { START_RETRY_MS } from '#shared/not-started.ts'
import { readiness } from '../../../console/health.ts'
import { containedFunction } from '../../../test/runtime/function.ts'
import { containerCommand } from './command.ts'
import { startContainer } from './container.ts'
import { loadAll } from './load-later.ts'

const NOT_THERE = 'the container ended while it was starting'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

/** Containers of which those do not start that `fails` says so of, counted from 0. */
function startsBut(fails: (start: number) => boolean): typeof startContainer {
  let starts = 0
  return (init, options) => {
    const command = containerCommand()
    return startContainer(init, {
      ...options,
      command: fails(starts++) ? { ...command, file: '/no/such/file' } : command,
    })
  }
}

it('a function whose first container could not start is broken until one runs', async () => {
  const start = startsBut((nth) => nth === 0)
  await using probe = await containedFunction('probe', { timeoutMs: 20_000, pool: { start } })
  const told: string[] = []
  await loadAll([probe.fn], ({ error }) => told.push(error))
  expect(told).toEqual([NOT_THERE])
  expect(probe.fn.error).toBe(NOT_THERE)
  vi.advanceTimersByTime(START_RETRY_MS)
  expect(await (await probe.call('/probe/ok')).text()).toBe('ok')
  expect(probe.fn.error).toBe(null)
})

it('one whose later container cannot start is broken, too, and health says so, until one runs', async () => {
  const start = startsBut((nth) => nth === 1)
  await using probe = await containedFunction('probe', { timeoutMs: 20_000, pool: { start, invocationsMax: 1 } })
  const told: string[] = []
  await loadAll([probe.fn], ({ error }) => told.push(error))
  const health = async () => {
    const options = { tasks: probe.bindings.tasks, functions: [probe.fn], broken: [], isDraining: () => false }
    return (await readiness(options)).body
  }
  expect(await (await probe.call('/probe/ok')).text()).toBe('ok')
  expect(await health()).toMatchObject({ status: 'ready', functions: 1, broken: [] })
  expect((await probe.call('/probe/ok')).status).toBe(503)
  expect(await health()).toMatchObject({
    status: 'degraded',
    functions: 0,
    broken: [{ name: 'test', error: NOT_THERE }],
  })
  vi.advanceTimersByTime(START_RETRY_MS)
  expect(await (await probe.call('/probe/ok')).text()).toBe('ok')
  expect(await health()).toMatchObject({ status: 'ready', functions: 1, broken: [] })
  expect(told).toEqual([])
})

it('one that never runs stays broken', async () => {
  await using broken = await containedFunction('broken-throws')
  await loadAll([broken.fn], () => undefined)
  expect((await broken.call('/')).status).toBe(503)
  expect(broken.fn.error).toBe('it throws when it is loaded')
})
