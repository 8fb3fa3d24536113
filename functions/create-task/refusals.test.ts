import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FIELDS_BYTES_MAX } from '#shared/limits.ts'
import { testBindings, testSettings, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { FORM, formBytes, imagePart, post, postForm, problemOf, slices, streamOf, taskOf } from './requests.fixture.ts'

const jpeg = await picture({ width: 300, height: 200 })

async function files(env: TestBindings): Promise<string[]> {
  return await readdir(join(env.folder, 'input'), { recursive: true }).catch(() => [])
}

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
