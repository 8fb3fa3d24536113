import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { retryDelayMs } from '#shared/consumer.ts'
import { CALLBACK_GIVE_UP_MS, CHECK_LEASE_MS, CHECK_MARGIN_MS, RETRY_AFTER_MAX_MS } from '#shared/limits.ts'
import { testSettings } from '../../test/bindings.ts'
import { completedTask, fail, pendingTask, testTask } from '../../test/tasks.ts'
import { atAttempt, callbackBindings, client, notify, readEvent, SECRETS, signed, THEN } from './callbacks.fixture.ts'
import config from './config.ts'

describe('a client is told', () => {
  test('of a completed task: a CloudEvent that every secret verifies', async () => {
    await using hook = await client((response) => response.end())
    await using env = await callbackBindings()
    const { id, completedAt } = await completedTask(env, { callback: hook.pending(), metadata: { order: '7' } }, THEN)
    const response = await notify(env, id)
    expect([response.status, await response.json()]).toEqual([200, { outcome: 'delivered' }])
    const [first] = hook.received
    expect(hook.received).toHaveLength(1)
    expect(first!.headers['content-type']).toMatch(/^application\/cloudevents\+json/)
    for (const secret of SECRETS) expect(() => new Webhook(secret).verify(first!.body, signed(first!))).not.toThrow()
    expect(() => new Webhook('whsec_b3RoZXI=').verify(first!.body, signed(first!))).toThrow(/signature/)
    expect(() => new Webhook(SECRETS[0]).verify(first!.body.replace('"7"', '"8"'), signed(first!))).toThrow(/signature/)
    expect(readEvent(first!)).toMatchObject({
      specversion: '1.0',
      id: `${id}-settled`,
      type: 'task.completed',
      source: 'https://pictures.example',
      subject: id,
      time: completedAt,
      data: { id, status: 'completed', metadata: { order: '7' }, links: { self: `/tasks/${id}` } },
    })
    expect(await env.tasks.get(id)).toMatchObject({
      callback: { status: 'delivered', attempts: 1, lastStatus: 200 },
      nextCheckAt: null,
    })
    expect(env.counted).toEqual(['delivered'])
  })

  test('and an original that is still to go is looked after then, as is one that went meanwhile', async () => {
    await using hook = await client((response) => response.end())
    await using env = await callbackBindings()
    const discarding = { ...testTask().options, original: 'discard' as const }
    const owing = await completedTask(env, { callback: hook.pending(), options: discarding }, THEN)
    const before = Date.now()
    expect((await notify(env, owing.id)).status).toBe(200)
    expect((await env.tasks.get(owing.id))!.nextCheckAt).toBeGreaterThanOrEqual(before + CHECK_LEASE_MS)
    const done = await completedTask(env, { callback: hook.pending(), options: discarding }, THEN)
    await env.tasks.discardOriginal(done.id)
    await notify(env, done.id)
    expect((await env.tasks.get(done.id))!.nextCheckAt).toBeNull()
  })

  test('of a failed task, with its error', async () => {
    await using hook = await client((response) => response.writeHead(204).end())
    await using env = await callbackBindings()
    const { id } = await pendingTask(env, { callback: hook.pending() })
    const error = { code: 'image-corrupt', message: 'The image is damaged.' } as const
    await fail(env, id, error)
    await notify(env, id)
    expect(readEvent(hook.received[0]!)).toMatchObject({ type: 'task.failed', data: { status: 'failed', error } })
    expect((await env.tasks.get(id))!.callback).toMatchObject({ status: 'delivered', lastStatus: 204 })
  })

  test('once: a duplicate, a task without callback, one that is not over and one that is gone are no-ops', async () => {
    await using hook = await client((response) => response.end())
    await using env = await callbackBindings()
    const told = await completedTask(env, { callback: hook.pending() }, THEN)
    await notify(env, told.id)
    const silent = await completedTask(env)
    const pending = await pendingTask(env, { callback: hook.pending() })
    for (const { id } of [told, silent, pending, testTask()]) {
      const response = await notify(env, id)
      expect([response.status, await response.json()]).toEqual([200, { outcome: 'nothing pending' }])
    }
    expect(hook.received).toHaveLength(1)
  })
})

describe('a client that does not take it', () => {
  test('is told again: under the same id, signed anew, and the sweeper waits longer than the queue', async () => {
    await using hook = await client((response, count) => response.writeHead(count === 1 ? 500 : 200).end())
    await using env = await callbackBindings()
    const { id } = await completedTask(env, { callback: hook.pending({ attempts: 2 }) }, THEN)
    const before = Date.now()
    const first = await notify(atAttempt(env, 3), id)
    expect([first.status, first.headers.get('retry-after')]).toEqual([503, null])
    const task = (await env.tasks.get(id))!
    expect(task.callback).toMatchObject({ status: 'pending', attempts: 3, lastStatus: 500 })
    // 5 s × 4², without luck in the jitter.
    expect(task.nextCheckAt).toBeGreaterThanOrEqual(before + 80_000 + CHECK_MARGIN_MS)
    expect((await notify(atAttempt(env, 4), id)).status).toBe(200)
    const [one, two] = hook.received
    expect(one!.headers['webhook-id']).toBe(two!.headers['webhook-id'])
    for (const each of hook.received)
      expect(() => new Webhook(SECRETS[1]).verify(each.body, signed(each))).not.toThrow()
    expect((await env.tasks.get(id))!.callback).toMatchObject({ status: 'delivered', attempts: 4, lastStatus: 200 })
    expect(env.counted).toEqual(['retried', 'delivered'])
  })

  test.each([
    ['a queue that began to count anew is told to wait as its tries ask for', 1, 3, 80, '80'],
    ['and at most for its longest step', 1, 8, 6 * 3_600, '21600'],
    ['a queue that counted a try without a record waits by itself', 4, 1, 320, null],
  ])('is left alone by what was recorded: %s', async (_what, attempt, attempts, seconds, passed) => {
    await using hook = await client((response) => response.writeHead(500).end())
    await using env = await callbackBindings()
    const { id } = await completedTask(env, { callback: hook.pending({ attempts: attempts - 1 }) }, THEN)
    const before = Date.now()
    const response = await notify(atAttempt(env, attempt), id)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, passed])
    const { nextCheckAt } = (await env.tasks.get(id))!
    expect(nextCheckAt).toBeGreaterThanOrEqual(before + seconds * 1_000 + CHECK_MARGIN_MS)
    expect(nextCheckAt).toBeLessThanOrEqual(Date.now() + seconds * 1_000 + CHECK_MARGIN_MS)
  })

  test.each([
    ['2', null],
    ['600', '600'],
    ['86400', '3600'],
    ['soon', null],
  ])('may ask for more time, not for less: Retry-After %s', async (asked, passed) => {
    await using hook = await client((response) => response.writeHead(429, { 'retry-after': asked }).end())
    await using env = await callbackBindings()
    const { id } = await completedTask(env, { callback: hook.pending() }, THEN)
    const before = Date.now()
    const response = await notify(env, id)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, passed])
    const wait = Number(passed ?? 5) * 1_000 + CHECK_MARGIN_MS
    expect((await env.tasks.get(id))!.nextCheckAt).toBeGreaterThanOrEqual(before + wait)
  })

  test.each([301, 404])('by status %i is told again', async (status) => {
    await using hook = await client((response) => response.writeHead(status, { location: '/elsewhere' }).end())
    await using env = await callbackBindings()
    const { id } = await completedTask(env, { callback: hook.pending() }, THEN)
    expect((await notify(env, id)).status).toBe(503)
    expect(hook.received).toHaveLength(1)
    expect((await env.tasks.get(id))!.callback).toMatchObject({ status: 'pending', lastStatus: status })
  })

  test('since it is not there is told again', async () => {
    const hook = await client((response) => response.end())
    await hook[Symbol.asyncDispose]()
    await using env = await callbackBindings()
    const { id } = await completedTask(env, { callback: hook.pending({ lastStatus: 500 }) }, THEN)
    expect((await notify(env, id)).status).toBe(503)
    expect((await env.tasks.get(id))!.callback).toMatchObject({ status: 'pending', attempts: 1, lastStatus: null })
  })
})

describe('a callback is given up', () => {
  const outcome = async (env: Bindings, id: string) => {
    const response = await notify(env, id)
    const { callback, nextCheckAt } = (await env.tasks.get(id))!
    return [response.status, callback?.status, callback?.attempts, nextCheckAt]
  }

  test('at once where the client answers 410', async () => {
    await using hook = await client((response) => response.writeHead(410).end())
    await using env = await callbackBindings()
    const { id } = await completedTask(env, { callback: hook.pending() }, THEN)
    expect(await outcome(env, id)).toEqual([200, 'failed', 1, null])
    expect(env.counted).toEqual(['failed'])
  })

  test('at once where its address may not be reached', async () => {
    await using hook = await client((response) => response.end())
    await using env = await callbackBindings({}, [])
    const { id } = await completedTask(env, { callback: hook.pending() }, THEN)
    expect(await outcome(env, id)).toEqual([200, 'failed', 1, null])
    expect(hook.received).toEqual([])
  })

  test('with the last try, not the one before', async () => {
    await using hook = await client((response) => response.writeHead(500).end())
    await using env = await callbackBindings()
    const attempts = config.trigger.maxAttempts - 2
    const { id } = await completedTask(env, { callback: hook.pending({ attempts }) }, THEN)
    expect(await outcome(env, id)).toEqual([503, 'pending', attempts + 1, expect.any(Number)])
    expect(await outcome(env, id)).toEqual([200, 'failed', attempts + 2, null])
  })

  test('not before a day, also where jitter halves each wait and a queue waits an hour at most', () => {
    const { maxAttempts, backoff } = config.trigger
    const waits = Array.from({ length: maxAttempts - 1 }, (_, failures) =>
      Math.min(RETRY_AFTER_MAX_MS, retryDelayMs(backoff, failures + 1, 0)),
    )
    expect(waits.reduce((sum, ms) => sum + ms)).toBeGreaterThanOrEqual(CALLBACK_GIVE_UP_MS)
  })

  test('after a day, however few the tries', async () => {
    await using hook = await client((response) => response.writeHead(500).end())
    await using env = await callbackBindings()
    const before = new Date(Date.now() - CALLBACK_GIVE_UP_MS).toISOString()
    const task = { ...testTask({ status: 'failed', callback: hook.pending(), completedAt: before }), nextCheckAt: 1 }
    await env.tasks.create(task, { queue: 'none', id: 'x', type: 'x', subject: task.id, time: before, data: {} })
    expect(await outcome(env, task.id)).toEqual([200, 'failed', 1, null])
  })
})

describe('nothing is sent', () => {
  test('unsigned: the operator has time to give the secret back', async () => {
    await using hook = await client((response) => response.end())
    await using env = await callbackBindings({ settings: testSettings({ publicUrl: 'https://pictures.example' }) })
    const { id } = await completedTask(env, { callback: hook.pending() }, THEN)
    expect((await notify(env, id)).status).toBe(503)
    expect(hook.received).toEqual([])
    expect((await env.tasks.get(id))!.callback).toMatchObject({ status: 'pending', attempts: 1 })
  })

  test('and nothing recorded when the invocation is over', async () => {
    const over = new AbortController()
    await using hook = await client(() => over.abort())
    await using env = await callbackBindings()
    const { id } = await completedTask(env, { callback: hook.pending() }, THEN)
    expect((await notify({ ...env, invocation: { ...env.invocation, signal: over.signal } }, id)).status).toBe(500)
    expect((await env.tasks.get(id))!.callback).toMatchObject({ status: 'pending', attempts: 0 })
  })

  test('for a message that is none', async () => {
    await using env = await callbackBindings()
    expect((await notify(env, testTask().id, 'task.created')).status).toBe(400)
    expect((await notify(env, 'nobody')).status).toBe(400)
  })
})
