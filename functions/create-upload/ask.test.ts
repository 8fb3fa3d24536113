import { describe, expect, test } from 'vitest'
import type { Caller } from '#shared/bindings.ts'
import { DAY_MS, FIELDS_BYTES_MAX, INPUT_BYTES_MAX, MINUTE_MS, UPLOAD_LINK_MS } from '#shared/limits.ts'
import { TASK_ID, timeOfTaskId } from '#shared/task.ts'
import { testBindings, testInvocation, testSettings } from '../../test/bindings.ts'
import app from './index.ts'
import { answerOf, ask, asked, filesOf } from './uploads.fixture.ts'

describe('POST /uploads', () => {
  test('answers a link that takes the file, and how long', async () => {
    await using env = await testBindings()
    const response = await ask(env, { bytes: 5_000, filename: 'cat.jpg', variants: ['10x'] })
    expect([response.status, response.headers.get('cache-control')]).toEqual([201, 'no-store'])
    const upload = (await response.json()) as Record<string, string>
    const id = upload['id']!
    expect(id).toMatch(TASK_ID)
    const path = `/uploads/${id}`
    const { expiresAt, ...rest } = upload
    expect(rest).toEqual({
      id,
      uploadUrl: path,
      method: 'PUT',
      headers: { 'Content-Type': 'application/octet-stream' },
      completeUrl: path,
      bytes: 5_000,
    })
    const ms = Date.parse(expiresAt!) - timeOfTaskId(id)
    expect(ms).toBeGreaterThan(UPLOAD_LINK_MS - 1_000)
    expect(ms).toBeLessThanOrEqual(UPLOAD_LINK_MS)
    expect(env.queue.sent).toEqual([])
    expect(await env.tasks.get(id)).toBeNull()
  })

  test('signs its path for as long', async () => {
    await using env = await testBindings()
    const signed: Array<[string, number]> = []
    env.links = {
      ...env.links,
      sign: async (path, expiresAt) => {
        signed.push([path, expiresAt])
        return `https://pics.example.com${path}?sig=x`
      },
    }
    const { id, uploadUrl, completeUrl, expiresAt } = await asked(env, { bytes: 1 })
    expect(signed).toEqual([[`/uploads/${id}`, Date.parse(expiresAt)]])
    expect([uploadUrl, completeUrl]).toEqual(Array(2).fill(`https://pics.example.com/uploads/${id}?sig=x`))
  })

  test('gives the link of a store that has its own, and what must be sent to it', async () => {
    await using env = await testBindings()
    const given: unknown[] = []
    env.blobs = {
      ...env.blobs,
      presign: async (...args) => {
        given.push(args)
        return { url: 'https://bucket.example/x', headers: { 'If-None-Match': '*' } }
      },
    }
    const { id, uploadUrl, completeUrl, headers, expiresAt } = await asked(env, { bytes: 77 })
    expect(given).toEqual([[`input/${id}/upload.bin`, { bytes: 77, expiresAt: Date.parse(expiresAt) }]])
    expect({ uploadUrl, completeUrl, headers }).toEqual({
      uploadUrl: 'https://bucket.example/x',
      completeUrl: `/uploads/${id}`,
      headers: { 'If-None-Match': '*' },
    })
  })

  test('never lasts longer than half of what the collector waits', async () => {
    await using env = await testBindings({ settings: testSettings({ gcGraceMs: 10 * MINUTE_MS }) })
    const { id, expiresAt } = await asked(env, { bytes: 1 })
    expect(Date.parse(expiresAt)).toBeLessThanOrEqual(timeOfTaskId(id) + 5 * MINUTE_MS)
  })

  test.each<[string, unknown, string]>([
    ['no bytes', {}, '/bytes'],
    ['no bytes at all', { bytes: 0 }, '/bytes'],
    ['half a byte', { bytes: 0.5 }, '/bytes'],
    ['bytes as text', { bytes: '5' }, '/bytes'],
    ['a name that is none', { bytes: 1, filename: 5 }, '/filename'],
    ['an unknown member', { bytes: 1, size: 5 }, '/size'],
    ['a url', { bytes: 1, url: 'https://example.com/x.jpg' }, '/url'],
    ['a faulty option', { bytes: 1, variants: ['10x', { width: 0 }] }, '/variants/1/width'],
    ['no JSON', '{', ''],
    ['no object', '[]', ''],
    ['nothing', '', ''],
  ])('refuses %s', async (_name, body, pointer) => {
    await using env = await testBindings()
    const problem = await (await ask(env, body)).json()
    expect(problem).toMatchObject({ status: 400, code: 'invalid-request', errors: [{ pointer }] })
    expect(await env.blobs.listTasks('', 10)).toEqual([])
  })

  test('refuses options in the query, and says where they belong', async () => {
    await using env = await testBindings()
    const response = await ask(env, { bytes: 1 }, '?format=webp')
    expect(await response.json()).toMatchObject({ status: 400, errors: [{ pointer: '/format' }] })
  })

  test('the edge of what is taken', async () => {
    await using env = await testBindings()
    expect((await asked(env, { bytes: INPUT_BYTES_MAX })).bytes).toBe(INPUT_BYTES_MAX)
    expect(await answerOf(await ask(env, { bytes: INPUT_BYTES_MAX + 1 }))).toBe('413 too-large')
    const long = JSON.stringify({ bytes: 1 }) + ' '.repeat(FIELDS_BYTES_MAX)
    expect(await answerOf(await ask(env, long))).toBe('413 too-large')
  })

  test('refuses a body that is no JSON, and a callback that cannot be', async () => {
    await using env = await testBindings()
    const form = await app.request('/uploads', { method: 'POST', body: new URLSearchParams({ bytes: '1' }) }, env)
    expect(await answerOf(form)).toBe('415 unsupported-media-type')
    expect(await answerOf(await ask(env, { bytes: 1, callbackUrl: 'https://example.com' }))).toBe(
      '422 callback-not-configured',
    )
    const settings = testSettings({ callbacks: true, publicUrl: 'https://pics.example.com' })
    await using able = await testBindings({ settings })
    expect(await answerOf(await ask(able, { bytes: 1, callbackUrl: 'http://127.0.0.1/' }))).toBe('422 url-not-allowed')
    for (const each of [env, able]) expect(await each.blobs.listTasks('', 10)).toEqual([])
  })

  test.each<Caller>([{ kind: 'anonymous' }, { kind: 'link', expiresAt: Date.now() + DAY_MS }])(
    'is for keys, not for $kind',
    async (caller) => {
      await using env = await testBindings({ invocation: testInvocation({ caller }) })
      const response = await ask(env, { bytes: 1 })
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/)
      expect(await answerOf(response)).toBe('401 unauthorized')
      expect(await env.blobs.listTasks('', 10)).toEqual([])
    },
  )

  test('what was agreed lies beside the file to come, and no member of it in the link', async () => {
    await using env = await testBindings()
    const { id, uploadUrl } = await asked(env, { bytes: 1, metadata: { who: 'secret-name' }, filename: 'secret.jpg' })
    expect(await filesOf(env, id)).toEqual(['upload.json'])
    expect(uploadUrl).toBe(`/uploads/${id}`)
  })
})
