/** What is done with a task when a try fails: another one, or its end. */
import { describe, expect, test, vi } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { unavailable } from '#shared/errors.ts'
import { CHECK_LEASE_MS, CHECK_MARGIN_MS, INTERRUPTIONS_MAX } from '#shared/limits.ts'
import { variantKey } from '#shared/variant.ts'
import { testBindings, testSettings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { createTask, deliver, duringWork, withInvocation } from './deliveries.fixture.ts'

const jpeg = await picture()

describe('no try is left', () => {
  const lastError = { code: 'source-timeout', message: 'The URL was slow.' } as const

  test('after the last attempt: failed with its error', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg, task: { lastError } })
    expect((await deliver(withInvocation(env, { attempt: 5 }), { subject: id })).body.outcome).toBe('failed')
    expect(await env.tasks.get(id)).toMatchObject({ status: 'failed', error: lastError, attempts: 4 })
  })

  test('the last attempt itself is a try like any other', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg, task: { lastError } })
    expect((await deliver(withInvocation(env, { attempt: 4 }), { subject: id })).body.outcome).toBe('completed')
  })

  test('after too many starts that never came back, whatever the queue counted', async () => {
    await using env = await testBindings()
    const { maxAttempts } = env.settings
    const most = maxAttempts + INTERRUPTIONS_MAX
    const good = await createTask(env, { bytes: jpeg, task: { status: 'processing', deliveries: most - 1 } })
    const bad = await createTask(env, { bytes: jpeg, task: { status: 'processing', deliveries: most } })
    expect((await deliver(env, { subject: good.id })).body.outcome).toBe('completed')
    expect((await deliver(env, { subject: bad.id })).body.outcome).toBe('failed')
    expect((await env.tasks.get(bad.id))!.error).toEqual({
      code: 'processing-failed',
      message: 'The image could not be processed in 4 attempts.',
    })
  })
})

describe('the reason of a task that failed', () => {
  const unreachable = { code: 'source-unreachable', message: 'The URL answered 503.' } as const
  const unknown = { code: 'processing-failed', message: 'The image could not be processed in 4 attempts.' }

  test('is that of its last try, not of an earlier one', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg, task: { lastError: unreachable } })
    const odd = async (): Promise<never> => {
      throw new Error('odd')
    }
    const failing = { ...env, blobs: { ...env.blobs, asFile: odd } }
    expect((await deliver(withInvocation(failing, { attempt: 4 }), { subject: id })).status).toBe(500)
    expect((await deliver(withInvocation(env, { attempt: 5 }), { subject: id })).body.outcome).toBe('failed')
    expect((await env.tasks.get(id))!.error).toEqual(unknown)
  })

  test.each([
    ['of a source that is there by now', true],
    ['of a source that is fetched by now', false],
  ])('is not that %s, where later tries were killed', async (_which, stored) => {
    const fetch: Bindings['fetch'] = { refusal: () => null, request: async () => new Response(new Uint8Array(jpeg)) }
    await using env = await testBindings({ fetch })
    const source = stored ? {} : { kind: 'url' as const, url: 'https://example.com/a.jpg' }
    const { id } = await createTask(env, {
      ...(stored ? { bytes: jpeg } : {}),
      source,
      task: { lastError: unreachable },
    })
    const seen: unknown[] = []
    const asFile: Bindings['blobs']['asFile'] = async (key) => {
      seen.push((await env.tasks.get(id))!.lastError)
      return await env.blobs.asFile(key)
    }
    await deliver({ ...env, blobs: { ...env.blobs, asFile } }, { subject: id })
    expect(seen).toEqual([null])
  })
})

describe('another try', () => {
  const away = async (): Promise<never> => {
    throw unavailable('blob store')
  }
  const odd = async (): Promise<never> => {
    throw new Error('odd')
  }

  test("is waited for as long as the queue's own backoff may last, and no longer", async () => {
    const backoff = { initialMs: 40_000, factor: 2, maxMs: 100_000 }
    await using env = await testBindings({ settings: testSettings({ backoff }) })
    const { id } = await createTask(env, { bytes: jpeg })
    for (const [attempt, longestMs] of [40_000, 80_000, 100_000].entries()) {
      const now = Date.now()
      const failing = withInvocation({ ...env, blobs: { ...env.blobs, asFile: odd } }, { attempt: attempt + 1 })
      expect((await deliver(failing, { subject: id })).status).toBe(500)
      const waitedMs = (await env.tasks.get(id))!.nextCheckAt! - CHECK_MARGIN_MS - longestMs
      expect(waitedMs).toBeGreaterThanOrEqual(now)
      expect(waitedMs).toBeLessThanOrEqual(Date.now())
    }
  })

  test('where the disk is full at the last variant', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg })
    const put: Bindings['blobs']['put'] = async (key, ...rest) =>
      key.includes('200x200') ? await away() : await env.blobs.put(key, ...rest)
    expect((await deliver({ ...env, blobs: { ...env.blobs, put } }, { subject: id })).status).toBe(503)
    expect(await env.tasks.get(id)).toMatchObject({ status: 'processing', variants: [] })
  })

  test('for what nobody foresaw: 500', async () => {
    const backoff = { initialMs: 120_000, factor: 1, maxMs: 120_000 }
    await using env = await testBindings({ settings: testSettings({ backoff }) })
    const { id } = await createTask(env, { bytes: jpeg })
    const now = Date.now()
    expect((await deliver({ ...env, blobs: { ...env.blobs, asFile: odd } }, { subject: id })).status).toBe(500)
    const task = (await env.tasks.get(id))!
    expect(task).toMatchObject({ status: 'processing', uncounted: 0, lastError: { code: 'processing-failed' } })
    // Not before the queue's own try.
    expect(task.nextCheckAt).toBeGreaterThanOrEqual(now + backoff.initialMs + CHECK_MARGIN_MS)
  })

  test('when the time is up between two variants: nothing more is written', async () => {
    const over = new AbortController()
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg })
    const late = withInvocation(env, { signal: over.signal })
    const { status } = await deliver(
      duringWork(late, async () => over.abort()),
      { subject: id },
    )
    expect(status).toBe(500)
    expect((await env.tasks.get(id))!.status).toBe('processing')
    expect(await env.blobs.asFile(variantKey(id, '200x200', 'jpeg'))).toBeNull()
  })

  test('is not asked for while the work goes on, however long it takes, and nothing goes on after it', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] })
    try {
      const over = new AbortController()
      await using env = await testBindings()
      const { id } = await createTask(env, { bytes: jpeg })
      const aheadMs = async (): Promise<number> => (await env.tasks.get(id))!.nextCheckAt! - Date.now()
      const seen: number[] = []
      const asFile: Bindings['blobs']['asFile'] = async (key) => {
        for (let stepMs = 0; stepMs < 3 * CHECK_LEASE_MS; stepMs += CHECK_LEASE_MS / 3) {
          await vi.advanceTimersByTimeAsync(CHECK_LEASE_MS / 3)
          seen.push(await aheadMs())
        }
        over.abort()
        await vi.advanceTimersByTimeAsync(CHECK_LEASE_MS / 3)
        seen.push(vi.getTimerCount())
        return await env.blobs.asFile(key)
      }
      const slow = withInvocation({ ...env, blobs: { ...env.blobs, asFile } }, { signal: over.signal })
      await deliver(slow, { subject: id })
      expect(seen).toEqual([...Array(9).fill(CHECK_LEASE_MS), 0])
      const quick = await createTask(env, { bytes: jpeg })
      expect((await deliver(env, { subject: quick.id })).body.outcome).toBe('completed')
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test('is expected by the sweeper when the container dies', async () => {
    await using env = await testBindings()
    const now = Date.now()
    const { id } = await createTask(env, { bytes: jpeg })
    const asFile = async (): Promise<null> => {
      const { nextCheckAt } = (await env.tasks.get(id))!
      expect(nextCheckAt).toBeGreaterThanOrEqual(now + CHECK_LEASE_MS)
      expect(nextCheckAt).toBeLessThanOrEqual(Date.now() + CHECK_LEASE_MS)
      return null
    }
    await deliver({ ...env, blobs: { ...env.blobs, asFile } }, { subject: id })
    expect.assertions(2)
  })
})
