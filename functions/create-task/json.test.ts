import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FIELDS_BYTES_MAX } from '#shared/limits.ts'
import { testBindings, testSettings, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { imagePart, post, postForm, postJson, problemOf, slices, streamOf, taskOf } from './requests.fixture.ts'

const jpeg = await picture({ width: 300, height: 200 })

async function files(env: TestBindings): Promise<string[]> {
  return await readdir(join(env.folder, 'input'), { recursive: true }).catch(() => [])
}

describe('JSON', () => {
  const url = 'https://example.com/cat.jpg'

  test('a URL is left to the queue', async () => {
    await using env = await testBindings()
    const response = await postJson(env, { url, variants: ['10x', { width: 5, name: 'five' }], metadata: { a: 'b' } })
    expect(response.status).toBe(202)
    const task = await taskOf(response)
    expect(task).toMatchObject({ source: { kind: 'url', url, mediaType: null, sha256: null }, metadata: { a: 'b' } })
    expect((await env.tasks.get(task.id))?.source.key).toBeNull()
    expect(await files(env)).toEqual([])
    expect(env.queue.sent).toHaveLength(1)
  })

  test.each([
    'ftp://example.com/x',
    'file:///etc/passwd',
    'data:image/png;base64,AAAA',
    'http://user:pass@example.com/x',
    'http://127.0.0.1/x',
    'http://169.254.169.254/latest',
    'http://[::1]/x',
    'http://0x7f000001/x',
  ])('%s is not fetched, nor called back', async (address) => {
    await using env = await testBindings({
      settings: testSettings({ callbacks: true, publicUrl: 'https://pics.example.com' }),
    })
    expect(await problemOf(await postJson(env, { url: address }))).toMatchObject({
      status: 422,
      code: 'url-not-allowed',
    })
    const callback = await postForm(env, [imagePart(jpeg), { name: 'callbackUrl', value: address }])
    expect(await problemOf(callback)).toMatchObject({ status: 422, code: 'url-not-allowed' })
    expect(await files(env)).toEqual([])
    expect(env.queue.sent).toEqual([])
  })

  test('a callback where the server has what it needs', async () => {
    const callbackUrl = 'https://example.com/hook'
    for (const settings of [{}, { callbacks: true }, { publicUrl: 'https://pics.example.com' }]) {
      await using env = await testBindings({ settings: testSettings(settings) })
      expect(await problemOf(await postJson(env, { url, callbackUrl }))).toMatchObject({
        status: 422,
        code: 'callback-not-configured',
      })
    }
    await using env = await testBindings({
      settings: testSettings({ callbacks: true, publicUrl: 'https://pics.example.com' }),
    })
    expect((await taskOf(await postJson(env, { url, callbackUrl }))).callback).toEqual({
      status: 'pending',
      attempts: 0,
      lastStatus: null,
    })
  })

  test.each([
    ['no JSON', '{', ''],
    ['no object', '[]', ''],
    ['null', 'null', ''],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), ''],
    ['neither', '{}', ''],
    ['both', '{"url":"https://example.com","taskId":"x"}', ''],
    ['a url that is none', '{"url":"cat.jpg"}', '/url'],
    ['a url that is no text', '{"url":5}', '/url'],
    ['a task id that is no text', '{"taskId":5}', '/taskId'],
    ['an unknown member', '{"url":"https://example.com","size":5}', '/size'],
    ['a faulty option', '{"url":"https://example.com","variants":["10x",{"width":0}]}', '/variants/1/width'],
  ])('%s is refused', async (_name, body, pointer) => {
    await using env = await testBindings()
    const response = await post(env, { body, type: 'application/json; charset=utf-8' })
    expect(await problemOf(response)).toMatchObject({ status: 400, code: 'invalid-request', errors: [{ pointer }] })
  })

  test('the edges of its length', async () => {
    await using env = await testBindings()
    const text = JSON.stringify({ url })
    const padded = (bytes: number) => Buffer.from(text + ' '.repeat(bytes - text.length))
    expect(
      (await post(env, { body: streamOf(slices(padded(FIELDS_BYTES_MAX), 5_000)), type: 'application/json' })).status,
    ).toBe(202)
    const refused = await post(env, {
      body: streamOf(slices(padded(FIELDS_BYTES_MAX + 1), 5_000)),
      type: 'application/json',
    })
    expect(await problemOf(refused)).toMatchObject({ status: 413 })
  })

  test('options may stand in the query, but not in both', async () => {
    await using env = await testBindings()
    const sent = { body: JSON.stringify({ url, format: 'webp' }), type: 'application/json' }
    expect((await taskOf(await post(env, { ...sent, query: '?variants=7x' }))).options.variants).toEqual(['7x'])
    expect(await problemOf(await post(env, { ...sent, query: '?format=webp' }))).toMatchObject({
      status: 400,
      errors: [{ pointer: '/format' }],
    })
  })

  test('a URL of another length than is accepted', async () => {
    await using env = await testBindings()
    const long = (chars: number) => `https://example.com/${'a'.repeat(chars - 20)}`
    expect((await postJson(env, { url: long(2_048) })).status).toBe(202)
    expect((await postJson(env, { url: long(2_049) })).status).toBe(400)
  })
})
