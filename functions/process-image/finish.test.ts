import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import type { Bindings } from '#shared/bindings.ts'
import { unavailable } from '#shared/errors.ts'
import { CALLBACK_TRY_MS, CHECK_LEASE_MS, CHECK_MARGIN_MS } from '#shared/limits.ts'
import { newTaskId, type TaskOptions } from '#shared/task.ts'
import { variantKey } from '#shared/variant.ts'
import { verdictOf } from '#shared/verdict.ts'
import { testBindings, testSettings } from '../../test/bindings.ts'
import { animation, picture } from '../../test/pictures.ts'
import { createTask, deliver, duringWork, measuringInvocation } from './deliveries.fixture.ts'
import { spec } from './rendering.fixture.ts'

const jpeg = await picture()

async function hashOf(env: Bindings, key: Parameters<Bindings['blobs']['get']>[0]): Promise<string> {
  const blob = await env.blobs.get(key)
  return createHash('sha256')
    .update(await buffer(blob!.body))
    .digest('hex')
}

describe('a task is completed', () => {
  test('with every variant stored, in the order asked for, and what the picture is', async () => {
    const { measured, invocation } = measuringInvocation()
    await using env = await testBindings({ invocation, settings: testSettings({ taskTtlMs: 1_000 }) })
    const variants = [
      spec(200, 200),
      spec(1024, 1024),
      spec(300, 300, { fit: 'cover', name: 'square', format: 'webp' }),
    ]
    const { id } = await createTask(env, { bytes: jpeg, options: { variants } })
    expect(await deliver(env, { subject: id })).toMatchObject({ status: 200, body: { outcome: 'completed' } })
    const task = (await env.tasks.get(id))!
    expect(task).toMatchObject({
      status: 'completed',
      attempts: 1,
      progress: 1,
      error: null,
      warnings: [],
      nextCheckAt: null,
      source: { mediaType: 'image/jpeg', width: 1200, height: 900, frames: 1, bytes: jpeg.length },
      variants: [
        { name: '200x200', width: 200, height: 150, mediaType: 'image/jpeg', key: `output/${id}/200x200.jpg` },
        { name: '1024x1024', width: 1024, height: 768 },
        { name: 'square', width: 300, height: 300, mediaType: 'image/webp', key: `output/${id}/square.webp` },
      ],
    })
    expect(task.placeholder).toMatch(/^[A-Za-z0-9+/]+=*$/)
    expect(task.color).toMatch(/^#[0-9a-f]{6}$/)
    expect(Date.parse(task.expiresAt!) - Date.parse(task.completedAt!)).toBe(1_000)
    for (const variant of task.variants) expect(await hashOf(env, variant.key)).toBe(variant.sha256)
    expect(measured).toEqual([
      ['render_seconds', expect.any(Number), { outcome: 'completed' }],
      ['tasks_total', 1, { outcome: 'completed', code: '' }],
    ])
    expect(env.queue.sent.map(({ type }) => type)).toEqual(['task.created'])
  })

  test('with a warning in words where only the first frame was used', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: await animation(4), format: 'gif' })
    await deliver(env, { subject: id })
    const task = (await env.tasks.get(id))!
    expect(task.source.frames).toBe(4)
    expect(task.warnings).toEqual(['The image is an animation of 4 frames; only the first of them was used.'])
  })

  test('with at most four writes of progress, which grow and end before 1', async () => {
    await using env = await testBindings()
    const variants = Array.from({ length: 16 }, (_, index) => spec(50 + index, 50 + index))
    const { id } = await createTask(env, { bytes: jpeg, options: { variants } })
    const progress: number[] = []
    const advance: Bindings['tasks']['advance'] = async (task, fence, change) => {
      progress.push(change.progress!)
      return await env.tasks.advance(task, fence, change)
    }
    await deliver({ ...env, tasks: { ...env.tasks, advance } }, { subject: id })
    expect(progress).toEqual([0.25, 0.5, 0.75])
  })

  test('with the bytes that an earlier attempt stored first', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg, options: { variants: [spec(200, 200)] } })
    const earlier = await env.blobs.put(variantKey(id, '200x200', 'jpeg'), Buffer.from('first'))
    await deliver(env, { subject: id })
    expect((await env.tasks.get(id))!.variants[0]).toMatchObject({ bytes: 5, sha256: earlier.sha256 })
  })

  test('and its client told: the message goes with the settling, and the task stays on the books', async () => {
    await using env = await testBindings()
    const callback = { url: 'https://example.com/', status: 'pending' as const, attempts: 0, lastStatus: null }
    const { id } = await createTask(env, { bytes: jpeg, task: { callback } })
    await deliver(env, { subject: id })
    expect(env.queue.sent.at(-1)).toMatchObject({
      queue: 'task-callbacks',
      type: 'task.settled',
      subject: id,
      traceparent: env.invocation.traceparent,
    })
    expect((await env.tasks.get(id))!.nextCheckAt).toBeGreaterThan(Date.now())
  })
})

describe('the original', () => {
  test('is discarded after completion, where that was asked for', async () => {
    await using env = await testBindings()
    const { id, source } = await createTask(env, { bytes: jpeg, options: { original: 'discard' } })
    await deliver(env, { subject: id })
    expect((await env.tasks.get(id))!.source.key).toBeNull()
    expect(await env.blobs.asFile(source.key!)).toBeNull()
  })

  test('is kept otherwise, and when the task failed', async () => {
    await using env = await testBindings()
    const kept = await createTask(env, { bytes: jpeg })
    const failed = await createTask(env, { bytes: Buffer.from('no picture'), options: { original: 'discard' } })
    for (const { id, source } of [kept, failed]) {
      await deliver(env, { subject: id })
      expect(await hashOf(env, source.key!)).toBe(source.sha256)
    }
  })

  test('is discarded by the next delivery when the one that settled died before it could', async () => {
    await using env = await testBindings()
    const { id, source } = await createTask(env, { bytes: jpeg, options: { original: 'discard' } })
    const dying = async (): Promise<never> => {
      throw new Error('killed')
    }
    const before = Date.now()
    const first = await deliver({ ...env, blobs: { ...env.blobs, delete: dying } }, { subject: id })
    expect(first.status).toBe(500)
    const ended = (await env.tasks.get(id))!
    expect(ended.status).toBe('completed')
    // Also where that delivery never comes: the sweeper asks for another.
    expect(ended.nextCheckAt).toBeGreaterThanOrEqual(before + CHECK_LEASE_MS)
    expect(await deliver(env, { subject: id })).toMatchObject({ status: 200, body: { outcome: 'over' } })
    expect(await env.blobs.asFile(source.key!)).toBeNull()
    expect(await env.tasks.get(id)).toMatchObject({ nextCheckAt: null, source: { key: null } })
  })

  test('is discarded however long the blob store is away: no attempt is lost by it', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg, options: { original: 'discard' } })
    const away = async (): Promise<never> => {
      throw unavailable('blob store')
    }
    const own = { ...env, blobs: { ...env.blobs, delete: away } }
    for (let delivery = 1; delivery <= 2; delivery++) {
      const { status, headers } = await deliver(own, { subject: id })
      const verdict = verdictOf(new Response(null, { status, headers }))
      expect(verdict).toMatchObject({ kind: 'retry', counted: false, afterMs: 30_000 })
    }
    expect((await env.tasks.get(id))!.nextCheckAt).not.toBeNull()
    await deliver(env, { subject: id })
    expect((await env.tasks.get(id))!.nextCheckAt).toBeNull()
  })

  test('that is to go is no reason to look for a callback at another time', async () => {
    await using env = await testBindings()
    const callback = { url: 'https://example.com/', status: 'pending' as const, attempts: 0, lastStatus: null }
    const { id } = await createTask(env, { bytes: jpeg, options: { original: 'discard' }, task: { callback } })
    const before = Date.now()
    await deliver(env, { subject: id })
    const { nextCheckAt, source } = (await env.tasks.get(id))!
    expect(source.key).toBeNull()
    expect(nextCheckAt).toBeGreaterThanOrEqual(before + CALLBACK_TRY_MS + CHECK_MARGIN_MS)
  })

  test('that is gone ends the task', async () => {
    await using env = await testBindings()
    const { id, source } = await createTask(env, { bytes: jpeg })
    await env.blobs.delete(source.key!)
    expect((await deliver(env, { subject: id })).status).toBe(200)
    expect((await env.tasks.get(id))!.error!.code).toBe('original-gone')
  })
})

describe('deliveries', () => {
  test('of a task that is over, or was deleted, change nothing', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg })
    await deliver(env, { subject: id })
    const before = await env.tasks.get(id)
    expect(await deliver(env, { subject: id })).toMatchObject({ status: 200, body: { outcome: 'over' } })
    expect(await env.tasks.get(id)).toEqual(before)
    expect(await deliver(env, { subject: newTaskId() })).toMatchObject({ status: 200, body: { outcome: 'lost' } })
  })

  test('two at once: one settles, both are answered', async () => {
    const { measured, invocation } = measuringInvocation()
    await using env = await testBindings({ invocation })
    const { id } = await createTask(env, { bytes: jpeg })
    const both = await Promise.all([deliver(env, { subject: id }), deliver(env, { subject: id })])
    expect(new Set(both.map(({ body }) => body.outcome))).toEqual(new Set(['completed', 'lost']))
    expect(measured.filter(([name]) => name === 'tasks_total')).toHaveLength(1)
    expect(await env.tasks.get(id)).toMatchObject({ status: 'completed', deliveries: 2 })
  })

  test('an older one stops when a newer one has the task, and takes nothing away', async () => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg })
    const newer = async () => await env.tasks.claim(id, { attempt: 1, nextCheckAt: 1 })
    expect(await deliver(duringWork(env, newer), { subject: id })).toMatchObject({
      status: 200,
      body: { outcome: 'lost' },
    })
    expect(await env.tasks.get(id)).toMatchObject({ status: 'processing', deliveries: 2, nextCheckAt: 1, progress: 0 })
    expect(await env.blobs.asFile(variantKey(id, '400x400', 'jpeg'))).not.toBeNull()
    expect(await env.blobs.asFile(variantKey(id, '200x200', 'jpeg'))).toBeNull()
    expect((await deliver(env, { subject: id })).body.outcome).toBe('completed')
  })

  test('an older one that ends after a newer one began leaves it the original', async () => {
    await using env = await testBindings()
    const options: Partial<TaskOptions> = { original: 'discard', variants: [spec(400, 400)] }
    const { id } = await createTask(env, { bytes: jpeg, options })
    const newer = async () => await env.tasks.claim(id, { attempt: 1, nextCheckAt: 1 })
    expect((await deliver(duringWork(env, newer), { subject: id })).body.outcome).toBe('lost')
    expect((await deliver(env, { subject: id })).body.outcome).toBe('completed')
  })

  test.each([
    ['after a variant was stored', [spec(400, 400), spec(200, 200)]],
    ['before it settles', [spec(400, 400)]],
  ])('a deletion during the work, noticed %s, leaves no file behind', async (_when, variants) => {
    await using env = await testBindings()
    const { id } = await createTask(env, { bytes: jpeg, options: { variants } })
    const deletion = async (): Promise<void> => {
      await env.tasks.delete(id)
      await env.blobs.deleteTask(id)
    }
    const { status, body } = await deliver(duringWork(env, deletion), { subject: id })
    expect({ status, outcome: body.outcome }).toEqual({ status: 200, outcome: 'lost' })
    expect(await env.blobs.listTasks('', 10)).toEqual([])
  })
})
