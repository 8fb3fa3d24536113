import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FIELDS_BYTES_MAX } from '#shared/limits.ts'
import { INPUT_FORMATS } from '#shared/variant.ts'
import { testBindings, testSettings, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import app from './index.ts'
import {
  FORM,
  formBytes,
  imagePart,
  post,
  postForm,
  postJson,
  problemOf,
  slices,
  streamOf,
  taskOf,
} from './requests.fixture.ts'

const jpeg = await picture({ width: 300, height: 200 })
const sha256 = createHash('sha256').update(jpeg).digest('hex')

async function files(env: TestBindings): Promise<string[]> {
  return await readdir(join(env.folder, 'input'), { recursive: true }).catch(() => [])
}

describe('an upload', () => {
  test('as a form makes a task, its original and its message', async () => {
    await using env = await testBindings()
    const response = await postForm(env, [imagePart(jpeg, 'cat.jpg'), { name: 'variants', value: '100x,x50' }])
    expect(response.status).toBe(202)
    const task = await taskOf(response)
    expect(response.headers.get('location')).toBe(`/tasks/${task.id}`)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(response.headers.get('preference-applied')).toBeNull()
    expect(response.headers.get('idempotent-replayed')).toBeNull()
    expect(task).toMatchObject({
      status: 'pending',
      source: {
        kind: 'upload',
        filename: 'cat.jpg',
        mediaType: 'image/jpeg',
        bytes: jpeg.length,
        width: 300,
        height: 200,
        sha256,
      },
      options: { variants: ['100x', 'x50'], format: 'jpeg', background: '#ffffff', original: 'keep', access: 'public' },
      callback: null,
      retryOf: null,
    })
    expect(await readdir(join(env.folder, 'input', task.id))).toEqual(['original.jpg'])
    expect(env.queue.sent).toMatchObject([{ id: `${task.id}.created`, type: 'task.created', subject: task.id }])
    expect(env.queue.sent[0]?.traceparent).toBe(env.invocation.traceparent)
    const stored = await env.tasks.get(task.id)
    expect(stored).toMatchObject({ fingerprint: null, deliveries: 0, traceparent: env.invocation.traceparent })
    expect(stored?.nextCheckAt).toBeGreaterThan(Date.now())
  })

  test.each(['image/jpeg', 'image/png', 'image/anything', 'application/octet-stream', 'IMAGE/JPEG; charset=binary'])(
    'as raw bytes of Content-Type %s: the bytes decide',
    async (type) => {
      await using env = await testBindings()
      const response = await post(env, {
        body: streamOf(slices(jpeg, 1_000)),
        type,
        query: '?variants=10x10:cover&quality=33&variants=5x',
      })
      expect(response.status).toBe(202)
      const task = await taskOf(response)
      expect(task.source).toMatchObject({ sha256, filename: null, mediaType: 'image/jpeg' })
      expect(task.options.variants).toMatchObject([
        { name: '10x10-cover', quality: 33 },
        { name: '5x', quality: 33 },
      ])
    },
  )

  test.each(INPUT_FORMATS)('of a %s is kept under its own extension, whatever its name', async (format) => {
    await using env = await testBindings()
    const response = await postForm(env, [imagePart(await picture({ width: 40, height: 30, format }), 'x.exe')])
    const task = await taskOf(response)
    expect(task.source).toMatchObject({ mediaType: `image/${format}`, width: 40, height: 30 })
    expect(await files(env)).toContain(`${task.id}/original.${format === 'jpeg' ? 'jpg' : format}`)
  })

  test('in single bytes, fields before and after the file', async () => {
    await using env = await testBindings()
    const small = await picture({ width: 16, height: 16, orientation: 6 })
    const parts = [
      { name: 'format', value: 'webp' },
      imagePart(small),
      { name: 'metadata', value: '{"a":"b"}' },
      { name: 'original', value: 'discard' },
    ]
    const response = await post(env, { body: streamOf(slices(formBytes(parts), 1)), type: FORM })
    expect(await taskOf(response)).toMatchObject({
      options: { format: 'webp', original: 'discard' },
      metadata: { a: 'b' },
    })
  })

  test('is streamed: the body is not read before the function reads it', async () => {
    for (const type of [FORM, 'image/jpeg', 'application/octet-stream']) {
      await using env = await testBindings()
      const used: boolean[] = []
      const body = type === FORM ? formBytes([imagePart(jpeg)]) : jpeg
      const request = new Request('http://localhost/tasks', { method: 'POST', headers: { 'Content-Type': type }, body })
      // The first of the bindings that the function asks for.
      const settings = new Proxy(env.settings, {
        get: (target, property, receiver) => {
          if (property === 'inputBytesMax') used.push(request.bodyUsed)
          return Reflect.get(target, property, receiver) as unknown
        },
      })
      const response = await app.fetch(request, { ...env, settings })
      expect(response.status).toBe(202)
      expect(used[0]).toBe(false)
    }
  })

  test('options of a form may also stand in the query, but not in both', async () => {
    await using env = await testBindings()
    const form = { body: formBytes([imagePart(jpeg), { name: 'format', value: 'webp' }]), type: FORM }
    expect((await taskOf(await post(env, { ...form, query: '?quality=9' }))).options.format).toBe('webp')
    const refused = await post(env, { ...form, query: '?format=webp' })
    expect(await problemOf(refused)).toMatchObject({ status: 400, errors: [{ pointer: 'format' }] })
  })

  test('Location is absolute where the links are, and never signed', async () => {
    await using env = await testBindings()
    const { links } = env
    env.links = {
      of: async (task) => ({
        ...(await links.of(task)),
        self: `https://pics.example.com/tasks/${task.id}?signature=secret`,
      }),
    }
    const response = await postForm(env, [imagePart(jpeg)])
    expect(response.headers.get('location')).toBe(`https://pics.example.com/tasks/${(await taskOf(response)).id}`)
  })

  test('a file name is shown without folders and control characters', async () => {
    await using env = await testBindings()
    const named = async (filename: string) =>
      (await taskOf(await postForm(env, [imagePart(jpeg, filename)]))).source.filename
    expect(await named('../../etc/passwd')).toBe('passwd')
    expect(await named('C:\\\\pics\\\\cat.jpg')).toBe('cat.jpg')
    expect(await named('Käse 🧀.jpg')).toBe('Käse 🧀.jpg')
    expect(await named('a\u0007b\u001b[31m.jpg')).toBe('ab[31m.jpg')
    expect(await named('a'.repeat(300))).toHaveLength(255)
    expect(await named('')).toBeNull()
  })
})

describe('the limit of bytes', () => {
  const settings = testSettings({ inputBytesMax: jpeg.length })

  test.each([
    ['raw', (bytes: Uint8Array) => ({ body: streamOf(slices(bytes, 777)), type: 'image/jpeg' })],
    ['a form', (bytes: Uint8Array) => ({ body: streamOf(slices(formBytes([imagePart(bytes)]), 777)), type: FORM })],
  ])('%s: exactly as many are taken, one more is refused, counted, and nothing stays', async (_name, sent) => {
    await using env = await testBindings({ settings })
    expect((await post(env, sent(jpeg))).status).toBe(202)
    const before = await files(env)
    const response = await post(env, sent(Buffer.concat([jpeg, Buffer.alloc(1)])))
    expect(await problemOf(response)).toMatchObject({ status: 413, code: 'too-large' })
    expect(await files(env)).toEqual(before)
    expect(env.queue.sent).toHaveLength(1)
  })

  test('a length that says too much is refused before a byte is read', async () => {
    await using env = await testBindings({ settings })
    let pulled = 0
    const body = () =>
      new ReadableStream<Uint8Array>(
        { pull: (controller) => (pulled++, controller.enqueue(jpeg)) },
        { highWaterMark: 0 },
      )
    const raw = await post(env, { body: body(), headers: { 'Content-Length': String(jpeg.length + 1) } })
    const form = await post(env, {
      body: body(),
      type: FORM,
      headers: { 'Content-Length': String(jpeg.length + 3 * FIELDS_BYTES_MAX) },
    })
    const json = await post(env, {
      body: body(),
      type: 'application/json',
      headers: { 'Content-Length': String(FIELDS_BYTES_MAX + 1) },
    })
    for (const response of [raw, form, json])
      expect(await problemOf(response)).toMatchObject({ status: 413, code: 'too-large' })
    expect(pulled).toBe(0)
  })

  test('is the reason, even where the store wraps what stopped it', async () => {
    await using env = await testBindings({ settings: testSettings({ inputBytesMax: jpeg.length - 1 }) })
    const { blobs } = env
    env.blobs = {
      ...blobs,
      put: async (...put) =>
        await blobs.put(...put).catch((cause: unknown) => {
          throw new Error('The write failed.', { cause })
        }),
    }
    for (const response of [await post(env, { body: jpeg }), await postForm(env, [imagePart(jpeg)])]) {
      expect(await problemOf(response)).toMatchObject({ status: 413, code: 'too-large' })
    }
  })

  test('a form that never comes to its image is cut off', async () => {
    await using env = await testBindings({ settings })
    const preamble = function* () {
      for (;;) yield Buffer.alloc(16_384, 'x')
    }
    const response = await post(env, { body: streamOf(preamble()), type: FORM })
    expect(await problemOf(response)).toMatchObject({ status: 413 })
  })
})

describe('what is no image', () => {
  test.each([
    ['text', 'hello there'],
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'],
    ['PDF', '%PDF-1.7\n1 0 obj'],
    ['HTML', '<!doctype html><p>'],
    ['TIFF', 'II*\0\x08\0\0\0'],
    ['HEIC', '\0\0\0\x18ftypheic\0\0\0\0mif1heic'],
  ])('%s is named, with what is accepted', async (name, text) => {
    await using env = await testBindings()
    for (const response of [
      await post(env, { body: Buffer.from(text) }),
      await postForm(env, [imagePart(Buffer.from(text))]),
    ]) {
      const problem = await problemOf(response)
      expect(problem).toMatchObject({ status: 415, code: 'unsupported-image' })
      expect(problem.detail).toContain(name)
      expect(problem.detail).toContain('JPEG, PNG, WebP, GIF or AVIF')
    }
    expect(await files(env)).toEqual([])
  })

  test('a file without bytes', async () => {
    await using env = await testBindings()
    expect(await problemOf(await postForm(env, [imagePart(Buffer.alloc(0))]))).toMatchObject({ status: 400 })
    expect(await problemOf(await post(env, { body: streamOf([]) }))).toMatchObject({ status: 400 })
  })

  test('no body at all', async () => {
    await using env = await testBindings()
    for (const type of ['image/png', 'application/json', FORM, null]) {
      const response = await post(env, { body: null, type })
      expect(await problemOf(response)).toMatchObject({ status: 400, code: 'invalid-request' })
    }
    expect(await problemOf(await post(env, { body: '', type: 'application/json' }))).toMatchObject({ status: 400 })
    // As a server hands over a request without a body.
    for (const type of ['image/png', 'application/json', FORM, null]) {
      expect(await problemOf(await post(env, { body: streamOf([]), type }))).toMatchObject({ status: 400 })
    }
  })

  test.each([
    null,
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/mixed; boundary=x',
    'video/mp4',
    'application/jsonp',
    'nonsense',
  ])('Content-Type %s', async (type) => {
    await using env = await testBindings()
    const response = await post(env, { body: jpeg, type })
    const problem = await problemOf(response)
    expect(problem).toMatchObject({ status: 415, code: 'unsupported-media-type' })
    expect(problem.detail).toContain('multipart/form-data')
  })

  test('a compressed body', async () => {
    await using env = await testBindings()
    const response = await post(env, { body: jpeg, headers: { 'Content-Encoding': 'gzip' } })
    expect(await problemOf(response)).toMatchObject({ status: 415, code: 'unsupported-media-type' })
  })
})

describe('what the header shows', () => {
  test('too many pixels, at the edge, before the upload has ended', async () => {
    const bytes = await picture({ width: 300, height: 200, format: 'png' })
    await using env = await testBindings({ settings: testSettings({ inputPixelsMax: 60_000 }) })
    expect((await post(env, { body: bytes })).status).toBe(202)
    env.settings = testSettings({ inputPixelsMax: 59_999 })
    const before = await files(env)
    const endless = async function* () {
      yield bytes.subarray(0, 5_000)
      // Never comes: the refusal must not wait for it.
      await new Promise(() => {})
    }
    const response = await post(env, { body: streamOf(endless()) })
    const problem = await problemOf(response)
    expect(problem).toMatchObject({ status: 422, code: 'image-too-many-pixels' })
    expect(await files(env)).toEqual(before)
  })

  test('a corrupt header', async () => {
    await using env = await testBindings()
    const response = await post(env, { body: jpeg.subarray(0, 100) })
    expect(await problemOf(response)).toMatchObject({ status: 422, code: 'image-corrupt' })
    expect(await files(env)).toEqual([])
  })

  test('a picture that is cut off after its header is accepted: its task will tell', async () => {
    await using env = await testBindings()
    expect((await post(env, { body: jpeg.subarray(0, jpeg.length / 2) })).status).toBe(202)
  })

  test('the cost of the output, at its edge, after clamping to the original; AVIF counts 8', async () => {
    const settings = (outputCostMax: number) => testSettings({ outputCostMax })
    const query = '?variants=8192x8192,150x100&format=avif'
    const cost = (300 * 200 + 150 * 100) * 8
    await using env = await testBindings({ settings: settings(cost) })
    expect((await post(env, { body: jpeg, query })).status).toBe(202)
    const before = await files(env)
    env.settings = settings(cost - 1)
    expect(await problemOf(await post(env, { body: jpeg, query }))).toMatchObject({
      status: 422,
      code: 'output-too-costly',
    })
    expect(await files(env)).toEqual(before)
  })

  test('an orientation that is not known yet never refuses what can be finished', async () => {
    const source = await picture({ width: 300, height: 100, format: 'webp', orientation: 6, quality: 100 })
    await using env = await testBindings({ settings: testSettings({ outputCostMax: 100 * 34 }) })
    // Without its EXIF at the end it may be 100 × 300, of which 100x is larger.
    const task = await taskOf(
      await post(env, { body: source.subarray(0, source.length - 60), query: '?variants=100x' }),
    )
    expect(task.source).toMatchObject({ width: null, height: null })
  })
})

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
      url: callbackUrl,
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

test('a raw upload with a faulty option is refused before its body is read', async () => {
  await using env = await testBindings()
  let pulled = false
  const body = new ReadableStream<Uint8Array>({ pull: () => void (pulled = true) }, { highWaterMark: 0 })
  const response = await post(env, { body, query: '?quality=0&format=gif&format=png&nope=1' })
  const problem = await problemOf(response)
  expect(problem.status).toBe(400)
  expect(problem.errors?.map(({ pointer }) => pointer)).toEqual(['format', 'nope', 'format', 'quality'])
  expect(pulled).toBe(false)
})
