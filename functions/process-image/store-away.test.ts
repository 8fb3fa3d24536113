/** What is done with a task while one of its stores is away: it waits, and nothing is charged to it. */
import { describe, expect, test, vi } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { taskStoreAway, unavailable } from '#shared/errors.ts'
import { CHECK_MARGIN_MS, HOUR_MS, INTERRUPTIONS_MAX, STORE_AWAY_GIVE_UP_MS } from '#shared/limits.ts'
import { verdictOf } from '#shared/verdict.ts'
import { testBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { createTask, deliver, withInvocation } from './deliveries.fixture.ts'

const jpeg = await picture()

const away = async (): Promise<never> => {
  throw unavailable('blob store')
}

describe('another try', () => {
  test('costs no attempt where it was a store that was away, at the beginning or at the end', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg })
    const gone = async (): Promise<never> => {
      throw taskStoreAway('task store')
    }
    const verdict = async (own: Bindings) => {
      const { status, headers } = await deliver(own, { subject: id })
      return verdictOf(new Response(null, { status, headers }))
    }
    const tasksAway = { kind: 'retry', counted: false, afterMs: 2_000 }
    expect(await verdict({ ...env, tasks: { ...env.tasks, claim: gone } })).toMatchObject(tasksAway)
    expect(await verdict({ ...env, tasks: { ...env.tasks, settle: gone } })).toMatchObject(tasksAway)
    // The start that could not settle was noted as such: it is the second one.
    const blobsAway = { kind: 'retry', counted: false, afterMs: 60_000 }
    expect(await verdict({ ...env, blobs: { ...env.blobs, asFile: away } })).toMatchObject(blobsAway)
    const forLonger = { ...blobsAway, afterMs: 120_000 }
    expect(await verdict({ ...env, blobs: { ...env.blobs, put: away } })).toMatchObject(forLonger)
    expect(await env.tasks.get(id)).toMatchObject({ deliveries: 3, uncounted: 3, attempts: 1 })
    expect(await verdict(env)).toEqual({ kind: 'ack' })
  })

  test('is waited for twice as long each time, for a day, while a store is away; then the task fails of that', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      await using env = await testBindings()
      const { id } = await createTask(env, { bytes: jpeg })
      const createdAt = Date.now()
      vi.setSystemTime(createdAt)
      const broken = { ...env, blobs: { ...env.blobs, put: away } }
      const waits: number[] = []
      for (;;) {
        const { status, headers } = await deliver(broken, { subject: id })
        const verdict = verdictOf(new Response(null, { status, headers }))
        if (verdict.kind !== 'retry') break
        waits.push(verdict.afterMs!)
        vi.setSystemTime(Date.now() + verdict.afterMs!)
      }
      expect(waits.slice(0, 9)).toEqual([30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600].map((s) => s * 1_000))
      const tookMs = Date.now() - createdAt
      expect(tookMs).toBeGreaterThan(STORE_AWAY_GIVE_UP_MS)
      expect(tookMs).toBeLessThanOrEqual(STORE_AWAY_GIVE_UP_MS + HOUR_MS)
      expect(await env.tasks.get(id)).toMatchObject({ status: 'failed', error: { code: 'unavailable' } })
    } finally {
      vi.useRealTimers()
    }
  })

  test('is one more start where a store was away for hours and then a worker is killed', async () => {
    await using env = await testBindings()
    const deliveries = env.settings.maxAttempts + 2 * INTERRUPTIONS_MAX
    const began = { status: 'processing', deliveries, uncounted: deliveries - 1 } as const
    const { id } = await createTask(env, { bytes: jpeg, task: began })
    expect((await deliver(env, { subject: id })).body.outcome).toBe('completed')
  })

  test('is made of a task that waited for days and then met a store that was away', async () => {
    await using env = await testBindings()
    const createdAt = new Date(Date.now() - 3 * STORE_AWAY_GIVE_UP_MS).toISOString()
    const met = { status: 'processing', deliveries: INTERRUPTIONS_MAX, uncounted: INTERRUPTIONS_MAX } as const
    const { id } = await createTask(env, { bytes: jpeg, task: { createdAt, ...met } })
    expect((await deliver(env, { subject: id })).body.outcome).toBe('completed')
  })

  test('where the blob store is away: 503, the reason is kept, and the sweeper waits longer than the queue', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg })
    const now = Date.now()
    const { status } = await deliver({ ...env, blobs: { ...env.blobs, put: away } }, { subject: id })
    expect(status).toBe(503)
    const task = (await env.tasks.get(id))!
    expect(task).toMatchObject({ status: 'processing', lastError: { code: 'unavailable' } })
    expect(task.nextCheckAt).toBeGreaterThanOrEqual(now + 30_000 + CHECK_MARGIN_MS)
    expect((await deliver(withInvocation(env, { attempt: 2 }), { subject: id })).body.outcome).toBe('completed')
    expect(await env.tasks.get(id)).toMatchObject({ attempts: 2 })
  })

  test('where the task store is away, at the beginning and at the end', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg })
    for (const broken of [{ claim: away }, { settle: away, advance: away }]) {
      expect((await deliver({ ...env, tasks: { ...env.tasks, ...broken } }, { subject: id })).status).toBe(503)
      expect((await env.tasks.get(id))!.status).not.toBe('failed')
    }
  })
})
