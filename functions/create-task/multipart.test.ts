import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FIELDS_BYTES_MAX } from '#shared/limits.ts'
import { testBindings, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import {
  BOUNDARY,
  FORM,
  formBytes,
  imagePart,
  post,
  postForm,
  problemOf,
  slices,
  streamOf,
  taskOf,
} from './requests.fixture.ts'

const jpeg = await picture({ width: 300, height: 200 })
const image = imagePart(jpeg)

async function nothingLeft(env: TestBindings): Promise<void> {
  expect(await readdir(join(env.folder, 'input')).catch(() => [])).toEqual([])
  expect(env.queue.sent).toEqual([])
  expect(await env.tasks.list({ limit: 1 })).toEqual([])
}

test.each([
  ['no part', []],
  ['fields alone', [{ name: 'format', value: 'webp' }]],
  ['two images', [image, image]],
  ['two images with a field between', [image, { name: 'format', value: 'webp' }, image]],
  ['a file of another name', [{ ...image, name: 'photo' }]],
  ['a file of another name after the image', [image, { ...image, name: 'photo' }]],
  ['an unknown field', [image, { name: 'size', value: '5' }]],
  ['a faulty field', [image, { name: 'quality', value: '0' }]],
  ['a field that is given twice', [{ name: 'format', value: 'webp' }, image, { name: 'format', value: 'webp' }]],
])('%s is refused, and nothing is left', async (_name, parts) => {
  await using env = await testBindings()
  for (const size of [1_000_000, 100]) {
    const response = await post(env, { body: streamOf(slices(formBytes(parts), size)), type: FORM })
    expect(await problemOf(response)).toMatchObject({ status: 400, code: 'invalid-request' })
  }
  await nothingLeft(env)
})

test('a file of another name is named', async () => {
  await using env = await testBindings()
  const problem = await problemOf(await postForm(env, [{ ...image, name: 'photo' }]))
  expect(problem.detail).toContain('"photo"')
  expect(problem.errors).toMatchObject([{ pointer: 'photo' }])
})

const whole = formBytes([image, { name: 'format', value: 'webp' }])

test.each([
  ['within the image', whole.subarray(0, 900)],
  ['within the field', whole.subarray(0, whole.length - 60)],
  ['before the last boundary', whole.subarray(0, whole.length - BOUNDARY.length - 6)],
  ['within the first part header', whole.subarray(0, 60)],
  ['within the last boundary', whole.subarray(0, whole.length - 4)],
  ['of another boundary', Buffer.from(whole.toString('latin1').replaceAll(BOUNDARY, 'another'), 'latin1')],
  [
    'of bare line feeds',
    Buffer.from(
      formBytes([{ name: 'format', value: 'webp' }])
        .toString()
        .replaceAll('\r\n', '\n'),
    ),
  ],
  ['that is no form at all', jpeg],
])('a body that ends %s is refused, and nothing is left', async (_name, body) => {
  await using env = await testBindings()
  for (const size of [1_000_000, 7]) {
    const response = await post(env, { body: streamOf(slices(body, size)), type: FORM })
    expect(await problemOf(response)).toMatchObject({ status: 400, code: 'invalid-request' })
  }
  await nothingLeft(env)
})

test.each(['multipart/form-data', 'multipart/form-data; charset=utf-8', 'multipart/form-data; boundary='])(
  '%s has no boundary',
  async (type) => {
    await using env = await testBindings()
    const response = await post(env, { body: formBytes([image]), type })
    expect(await problemOf(response)).toMatchObject({ status: 400, code: 'invalid-request' })
    await nothingLeft(env)
  },
)

test.each([
  `multipart/form-data; boundary="${BOUNDARY}"`,
  `multipart/form-data; charset=utf-8; boundary=${BOUNDARY}`,
  `multipart/form-data; boundary=${BOUNDARY}; charset=utf-8`,
  `Multipart/Form-Data; Boundary=${BOUNDARY}`,
])('%s is understood', async (type) => {
  await using env = await testBindings()
  expect((await post(env, { body: formBytes([image]), type })).status).toBe(202)
})

test('a preamble and an epilogue are passed over', async () => {
  await using env = await testBindings()
  const body = Buffer.concat([
    Buffer.from('to be ignored\r\n'),
    formBytes([image]),
    Buffer.from('also this\r\n'),
    Buffer.alloc(100_000),
  ])
  for (const size of [body.length, 10_000]) {
    const response = await post(env, { body: streamOf(slices(body, size)), type: FORM })
    expect((await taskOf(response)).source.bytes).toBe(jpeg.length)
  }
})

test('an image that holds what looks like a boundary', async () => {
  await using env = await testBindings()
  const odd = Buffer.concat([jpeg, Buffer.from(`\r\n--${BOUNDARY.slice(0, -1)}\r\n--\r\n\r\n`)])
  for (const size of [odd.length * 2, 3]) {
    const response = await post(env, { body: streamOf(slices(formBytes([imagePart(odd)]), size)), type: FORM })
    expect((await taskOf(response)).source.bytes).toBe(odd.length)
  }
})

test('an image part may come without a file name or a type', async () => {
  await using env = await testBindings()
  for (const part of [
    { name: 'image', value: jpeg },
    { name: 'image', value: jpeg, type: 'image/png' },
    { name: 'image', value: jpeg, filename: 'x' },
  ]) {
    expect((await postForm(env, [part])).status).toBe(202)
  }
})

test('parts without a name or a disposition are no options', async () => {
  await using env = await testBindings()
  const odd = Buffer.from(`--${BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nhello\r\n`)
  expect((await post(env, { body: Buffer.concat([odd, formBytes([image])]), type: FORM })).status).toBe(202)
  expect((await post(env, { body: Buffer.concat([odd, formBytes([])]), type: FORM })).status).toBe(400)
})

test('all fields together may have as many bytes as a JSON body, before or after the file', async () => {
  await using env = await testBindings()
  const metadata = '{"a":"b"}'
  const fields = (bytes: number) => [
    { name: 'metadata', value: metadata + ' '.repeat(bytes - metadata.length - 4) },
    { name: 'format', value: 'webp' },
  ]
  expect((await postForm(env, [...fields(FIELDS_BYTES_MAX), image])).status).toBe(202)
  expect((await postForm(env, [image, ...fields(FIELDS_BYTES_MAX)])).status).toBe(202)
  for (const parts of [
    [...fields(FIELDS_BYTES_MAX + 1), image],
    [image, ...fields(FIELDS_BYTES_MAX + 1)],
    [{ name: 'metadata', value: ' '.repeat(FIELDS_BYTES_MAX + 1) }, image],
  ]) {
    expect(await problemOf(await postForm(env, parts))).toMatchObject({ status: 413, code: 'too-large' })
  }
})

test('the number of parts and the length of their headers are limited', async () => {
  await using env = await testBindings()
  const fields = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: 'variants', value: `${index + 1}x` }))
  // Sixteen variants are the most, so the number of parts is seen by what is complained of.
  expect((await problemOf(await postForm(env, [image, ...fields(63)]))).detail).toContain('got 63')
  expect((await problemOf(await postForm(env, [image, ...fields(64)]))).detail).toContain('64 parts')
  // The rest of a header that is too long is dropped.
  const long = await taskOf(await postForm(env, [{ ...image, filename: 'a'.repeat(100_000) }]))
  expect(long.source.filename).toHaveLength(255)
})
