/** `If-Match` and `If-Unmodified-Since`: bytes that belong to what the client has, or 412. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { SECOND_MS } from '#shared/limits.ts'
import { testBindings, type TestBindings } from '../../test/bindings.ts'
import { completedTask, ORIGINAL_BYTES, variantBytes } from '../../test/tasks.ts'
import app from './index.ts'

const ask = async (env: TestBindings, id: string, headers: Record<string, string>, method = 'GET', tail = '') =>
  await app.request(`/tasks/${id}/${tail || 'variants/800x800'}`, { method, headers }, env)

const tagOf = (bytes: Buffer): string => `"${createHash('sha256').update(bytes).digest('hex')}"`
const ETAG = tagOf(variantBytes('800x800', 'jpeg'))

/** A blob store in which nothing is opened. */
function closed(env: TestBindings): TestBindings {
  const get = async (): Promise<never> => {
    throw new Error('opened')
  }
  return { ...env, blobs: { ...env.blobs, get } }
}

function before(time: string): string {
  return new Date(Date.parse(time) - SECOND_MS).toUTCString()
}

test.for(['GET', 'HEAD'])('%s: 412 for another file, and nothing is opened', async (method) => {
  await using env = await testBindings()
  const { id, completedAt } = await completedTask(env)
  for (const headers of [
    { 'If-Match': '"x"' },
    { 'If-Match': `W/${ETAG}` },
    { 'If-Match': '"x"', Range: 'bytes=0-1' },
    { 'If-Match': '"x"', Range: 'bytes=5000-' },
    { 'If-Match': '"x"', 'If-None-Match': ETAG },
    { 'If-Match': '"x"', 'If-Unmodified-Since': new Date(completedAt!).toUTCString() },
    { 'If-Unmodified-Since': before(completedAt!) },
    { 'If-Unmodified-Since': before(completedAt!), Range: 'bytes=0-1' },
  ]) {
    const response = await ask(closed(env), id, headers, method)
    expect([headers, response.status]).toEqual([headers, 412])
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('vary')).toBe('Accept')
    expect(await response.text()).toMatch(method === 'GET' ? /"precondition-failed"/ : /^$/)
  }
})

test('the same file: as without the condition', async () => {
  await using env = await testBindings()
  const { id, completedAt } = await completedTask(env)
  for (const [headers, status] of [
    [{ 'If-Match': ETAG }, 200],
    [{ 'If-Match': `"x", ${ETAG}` }, 200],
    [{ 'If-Match': '*' }, 200],
    [{ 'If-Match': ETAG, 'If-Unmodified-Since': before(completedAt!) }, 200],
    [{ 'If-Unmodified-Since': new Date(completedAt!).toUTCString() }, 200],
    [{ 'If-Match': ETAG, Range: 'bytes=0-1' }, 206],
    [{ 'If-Match': ETAG, 'If-None-Match': ETAG }, 304],
  ] as const) {
    const response = await ask(env, id, headers)
    expect([headers, response.status]).toEqual([headers, status])
    await response.body?.cancel()
  }
})

test('the original too; and what is not there stays 404', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  expect((await ask(env, id, { 'If-Match': '"x"' }, 'GET', 'original')).status).toBe(412)
  const response = await ask(env, id, { 'If-Match': tagOf(ORIGINAL_BYTES) }, 'GET', 'original')
  expect(response.status).toBe(200)
  await response.body!.cancel()
  expect((await ask(env, id, { 'If-Match': '"x"' }, 'GET', 'variants/9x9')).status).toBe(404)
})
