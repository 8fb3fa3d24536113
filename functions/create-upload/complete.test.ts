import { createHash } from 'node:crypto'
import { describe, expect, test, vi } from 'vitest'
import type { BlobStore, TaskStore } from '#shared/bindings.ts'
import { DAY_MS, MINUTE_MS, UPLOAD_LINK_MS } from '#shared/limits.ts'
import type { TaskRepresentation } from '#shared/representation.ts'
import { newTaskId } from '#shared/task.ts'
import { uploadKey, uploadTermsKey } from '#shared/variant.ts'
import { testBindings, type TestBindings, testInvocation, testSettings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { fail } from '../../test/tasks.ts'
import { answerOf, asked, complete, filesOf, send, uploadedBy } from './uploads.fixture.ts'

const jpeg = new Uint8Array(await picture({ width: 300, height: 200 }))
const sha256 = createHash('sha256').update(jpeg).digest('hex')

const uploaded = uploadedBy(jpeg)

async function taskOf(response: Response): Promise<TaskRepresentation> {
  return (await response.json()) as TaskRepresentation
}

describe('POST /uploads/{taskId}', () => {
  test('makes a task of the upload’s id, with what was agreed', async () => {
    await using env = await testBindings()
    const options = { filename: 'c\0at.jpg', variants: ['10x', { name: 'hero', width: 20, height: 9, fit: 'cover' }] }
    const id = await uploaded(env, jpeg, { ...options, format: 'webp', quality: 7, metadata: { a: 'b' } })
    const response = await complete(env, id)
    expect(response.status).toBe(202)
    expect(response.headers.get('location')).toBe(`/tasks/${id}`)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(response.headers.has('idempotent-replayed')).toBe(false)
    const source = { kind: 'upload', filename: 'cat.jpg', mediaType: 'image/jpeg', bytes: jpeg.length, sha256 }
    expect(await taskOf(response)).toMatchObject({
      id,
      status: 'pending',
      source: { ...source, width: 300, height: 200 },
      options: {
        variants: [
          { name: '10x', quality: 7 },
          { name: 'hero', quality: 7 },
        ],
        format: 'webp',
      },
      metadata: { a: 'b' },
    })
    expect(env.queue.sent.map(({ subject }) => subject)).toEqual([id])
    const stored = await env.tasks.get(id)
    expect(stored).toMatchObject({ source: { key: `input/${id}/original.jpg` }, callback: null, fingerprint: null })
    const original = await env.blobs.get(stored!.source.key!)
    expect(Buffer.from(await new Response(original!.body).arrayBuffer()).equals(jpeg)).toBe(true)
    // The link's file and what was agreed are gone.
    expect(await filesOf(env, id)).toEqual(['original.jpg'])
  })

  test('a second time answers the same task', async () => {
    await using env = await testBindings()
    const id = await uploaded(env)
    expect((await complete(env, id)).status).toBe(202)
    const again = await complete(env, id)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, 'true'])
    expect((await taskOf(again)).id).toBe(id)
    expect(env.queue.sent).toHaveLength(1)
    expect(await answerOf(await send(env, id, jpeg))).toBe('409 upload-taken')
  })

  test('eight at once make one task, and leave one original', async () => {
    await using env = await testBindings()
    const id = await uploaded(env)
    const answers = await Promise.all(Array.from({ length: 8 }, () => complete(env, id)))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(202))
    expect(answers.filter(({ headers }) => !headers.has('idempotent-replayed'))).toHaveLength(1)
    expect(env.queue.sent).toHaveLength(1)
    expect(await filesOf(env, id)).toEqual(['original.jpg'])
  })

  test('before the file is there: 409, and it may still come', async () => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes: jpeg.length })
    expect(await answerOf(await complete(env, id))).toBe('409 upload-missing')
    expect((await send(env, id, jpeg)).status).toBe(201)
    expect((await complete(env, id)).status).toBe(202)
  })

  test.each<[string, () => Promise<Uint8Array>, Record<string, unknown>, string]>([
    ['text', async () => Buffer.from('hello, this is no image'), {}, '415 unsupported-image'],
    ['an SVG', async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), {}, '415 unsupported-image'],
    ['a header cut off', async () => jpeg.subarray(0, 12), {}, '422 image-corrupt'],
    ['what is too costly', async () => jpeg, { format: 'avif' }, '422 output-too-costly'],
  ])('%s is refused, and removed', async (_name, made, options, answer) => {
    await using env = await testBindings({ settings: testSettings({ outputCostMax: 300 * 200 * 2 }) })
    const id = await uploaded(env, new Uint8Array(await made()), options)
    expect(await answerOf(await complete(env, id))).toBe(answer)
    expect(await env.blobs.listTasks('', 10)).toEqual([])
    expect(await env.tasks.get(id)).toBeNull()
    for (const late of [await send(env, id, jpeg), await complete(env, id)]) {
      expect(await answerOf(late)).toBe('404 not-found')
    }
  })

  test('too many pixels are refused, and removed', async () => {
    await using env = await testBindings({ settings: testSettings({ inputPixelsMax: 300 * 200 - 1 }) })
    const id = await uploaded(env)
    expect(await answerOf(await complete(env, id))).toBe('422 image-too-many-pixels')
    expect(await env.blobs.listTasks('', 10)).toEqual([])
  })

  test.each([
    [1, '413 too-large'],
    [-1, '400 invalid-request'],
  ])('a store that took %d bytes more than agreed is not believed', async (more, answer) => {
    await using env = await testBindings()
    const { id } = await asked(env, { bytes: jpeg.length - more })
    await env.blobs.put(uploadKey(id), jpeg)
    expect(await answerOf(await complete(env, id))).toBe(answer)
    expect(await env.blobs.listTasks('', 10)).toEqual([])
  })

  test('options are those that were agreed, whatever the environment says now', async () => {
    const presets = (thumb: string) => testSettings({ presets: { thumb } })
    await using env = await testBindings({ settings: presets('10x10') })
    const id = await uploaded(env, jpeg, { variants: ['thumb'] })
    const response = await complete({ ...env, settings: presets('99x99') }, id)
    expect((await taskOf(response)).options.variants).toMatchObject([{ name: 'thumb', width: 10 }])
  })

  test('Prefer: wait holds the answer until the task has ended', async () => {
    await using env = await testBindings()
    const id = await uploaded(env)
    const { tasks } = env
    const create: TaskStore['create'] = async (task, message) => {
      const outcome = await tasks.create(task, message)
      queueMicrotask(() => void fail(env, id, { code: 'image-corrupt', message: 'no' }))
      return outcome
    }
    const response = await complete({ ...env, tasks: { ...tasks, create } }, id, { Prefer: 'wait=20' })
    expect([response.status, response.headers.get('preference-applied')]).toEqual([201, 'wait=20'])
    expect((await taskOf(response)).status).toBe('failed')
  })

  test('who completes by a link is given no link that outlives it', async () => {
    await using env = await testBindings()
    const id = await uploaded(env)
    const expiresAt = Date.now() + MINUTE_MS
    const ends: unknown[] = []
    const links = {
      ...env.links,
      of: async (task: Parameters<typeof env.links.of>[0], until?: number) => {
        ends.push(until)
        return await env.links.of(task)
      },
    }
    const invocation = testInvocation({ caller: { kind: 'link', expiresAt } })
    expect((await complete({ ...env, links, invocation }, id)).status).toBe(202)
    expect(ends).toEqual([expiresAt])
  })

  test('is not for whoever has neither key nor link', async () => {
    await using env = await testBindings()
    const id = await uploaded(env)
    const invocation = testInvocation({ caller: { kind: 'anonymous' } })
    expect(await answerOf(await complete({ ...env, invocation }, id))).toBe('401 unauthorized')
    expect(await env.tasks.get(id)).toBeNull()
  })

  test.each(['nonsense', newTaskId()])('knows no upload %s', async (id) => {
    await using env = await testBindings()
    expect(await answerOf(await complete(env, id))).toBe('404 not-found')
  })

  test('is over when its time is, also for who has a key', async () => {
    await using env = await testBindings()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - UPLOAD_LINK_MS - 1 })
    const id = await uploaded(env).finally(() => vi.useRealTimers())
    expect(await answerOf(await complete(env, id))).toBe('403 link-invalid')
    expect(await env.tasks.get(id)).toBeNull()
  })

  test('makes no task of files that the collector may be taking', async () => {
    await using env = await testBindings()
    const id = await uploaded(env)
    const copy: BlobStore['copy'] = async (...args) => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + DAY_MS })
      return await env.blobs.copy(...args)
    }
    const late = complete({ ...env, blobs: { ...env.blobs, copy } }, id).finally(() => vi.useRealTimers())
    expect(await answerOf(await late)).toBe('403 link-invalid')
    expect(await env.tasks.get(id)).toBeNull()
  })

  test('what another completion has taken away meanwhile is found in its task', async () => {
    await using env = await testBindings()
    const id = await uploaded(env)
    expect((await complete(env, id)).status).toBe(202)
    // As if it had asked for the task a moment before there was one.
    const early = (): TestBindings => {
      let asked = 0
      return { ...env, tasks: { ...env.tasks, get: async (key) => (asked++ === 0 ? null : await env.tasks.get(key)) } }
    }
    const withoutTerms = await complete(early(), id)
    const terms = { schemaVersion: 1, bytes: jpeg.length, expiresAt: Date.now() + MINUTE_MS }
    await env.blobs.put(uploadTermsKey(id), Buffer.from(JSON.stringify(terms)))
    const withoutFile = await complete(early(), id)
    for (const { status, headers } of [withoutTerms, withoutFile]) {
      expect([status, headers.get('idempotent-replayed')]).toEqual([202, 'true'])
    }
    expect(env.queue.sent).toHaveLength(1)
    expect(await filesOf(env, id)).toEqual(['original.jpg'])
  })
})
