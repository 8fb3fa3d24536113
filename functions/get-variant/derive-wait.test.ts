/** How long an encoding that is not made yet is waited for: `wait` of a fixed format, DERIVE_WAIT_MS of a negotiated one. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { giveUp } from '#shared/given-up.ts'
import { DERIVE_WAIT_MS, SECOND_MS } from '#shared/limits.ts'
import { testBindings, type TestBindings } from '../../test/bindings.ts'
import { complete, completedTask, derive, pendingTask, variantBytes } from '../../test/tasks.ts'
import app from './index.ts'

const AVIF = variantBytes('800x800', 'avif').toString()

beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] }))
afterEach(() => vi.useRealTimers())

interface Asked {
  response: Promise<Response>
  answered: () => boolean
}

/** An answer that waits: its timer runs. */
async function waiting(env: TestBindings, id: string, query: string, Accept = '*/*'): Promise<Asked> {
  let over = false
  const asked = (async () => await app.request(`/tasks/${id}/variants/800x800${query}`, { headers: { Accept } }, env))()
  const response = asked.finally(() => void (over = true))
  while (vi.getTimerCount() === 0) await nextTurn()
  return { response, answered: () => over }
}

/** Time passes, and whatever became possible by it happens: files are read, promises settle. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  for (let turns = 0; turns < 5; turns++) await nextTurn()
}

test('a fixed format is waited for as long as `wait` says, and served as soon as it is there', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const { response, answered } = await waiting(env, id, '?format=avif&wait=20')
  await pass(20 * SECOND_MS - 1)
  expect(answered()).toBe(false)
  await derive(env, id, '800x800', 'avif')
  const { status, headers } = await response
  expect([status, headers.get('content-type')]).toEqual([200, 'image/avif'])
  expect(await (await response).text()).toBe(AVIF)
  expect(vi.getTimerCount()).toBe(0)
})

test('503 when the time is up', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const { response } = await waiting(env, id, '?format=avif&wait=20')
  await pass(20 * SECOND_MS)
  const { status, headers } = await response
  expect([status, headers.get('retry-after')]).toEqual([503, '1'])
  expect(vi.getTimerCount()).toBe(0)
})

test('what the task took of the time is not waited twice, but for the time that every encoding has', async () => {
  for (const [tookMs, leftMs] of [
    [15 * SECOND_MS, 5 * SECOND_MS],
    [19 * SECOND_MS, DERIVE_WAIT_MS],
  ] as const) {
    await using env = await testBindings()
    const { id } = await pendingTask(env)
    const { response, answered } = await waiting(env, id, '?format=avif&wait=20')
    await pass(tookMs)
    await complete(env, id)
    while (env.queue.sent.every(({ type }) => type !== 'variant.wanted') || vi.getTimerCount() === 0) await nextTurn()
    await pass(leftMs - 1)
    expect(answered()).toBe(false)
    await pass(1)
    expect((await response).status).toBe(503)
  }
})

test('a negotiated one keeps nobody waiting, whatever `wait` says: the JPEG', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const { response } = await waiting(env, id, '?wait=20', 'image/avif')
  await pass(DERIVE_WAIT_MS)
  const { status, headers, body } = await response
  expect([status, headers.get('content-type')]).toEqual([200, 'image/jpeg'])
  await body!.cancel()
})

test('what is given up meanwhile is not waited for to the end', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const { response } = await waiting(env, id, '?format=avif&wait=20')
  await pass(5 * SECOND_MS)
  await giveUp(env.cache, { taskId: id, variant: '800x800', format: 'avif' }, 'failed')
  await pass(DERIVE_WAIT_MS)
  expect((await response).status).toBe(409)
  expect(vi.getTimerCount()).toBe(0)
})
