import { expect, test } from 'vitest'
import type { TaskQuery } from '#shared/bindings.ts'
import { METADATA_PAIRS_MAX } from '#shared/limits.ts'
import { taskCreated } from '#shared/message.ts'
import { newTaskId, type Task } from '#shared/task.ts'
import type { TaskRepresentation } from '#shared/representation.ts'
import { testBindings, testSettings, type TestBindings } from '../../test/bindings.ts'
import { completedTask, fail, testTask } from '../../test/tasks.ts'
import app from './index.ts'

interface Page {
  items: TaskRepresentation[]
  nextCursor: string | null
}

const ask = async (env: TestBindings, query = '') => await app.request(`/tasks${query}`, {}, env)

async function page(env: TestBindings, query = ''): Promise<Page & { link: string | null; ids: string[] }> {
  const response = await ask(env, query)
  expect(response.status).toBe(200)
  const { items, nextCursor } = (await response.json()) as Page
  return { items, nextCursor, link: response.headers.get('link'), ids: items.map(({ id }) => id) }
}

/** Tasks made a millisecond apart, newest first. */
async function several(env: TestBindings, count: number, overrides: Partial<Task> = {}): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => newTaskId(1_790_000_000_000 + at))
  for (const id of ids) await env.tasks.create(testTask({ id, ...overrides }), taskCreated(id))
  return ids.toReversed()
}

test('newest first, with links, and no next page where there is none', async () => {
  await using env = await testBindings()
  expect(await page(env)).toMatchObject({ items: [], nextCursor: null, link: null })
  const task = await completedTask(env)
  const older = await several(env, 2)
  const { ids, items, nextCursor, link } = await page(env)
  expect(ids).toEqual([task.id, ...older])
  expect(items[0]!.variants[0]!.href).toBe(`/tasks/${task.id}/variants/800x800`)
  expect([nextCursor, link]).toEqual([null, null])
  const response = await ask(env)
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(response.headers.get('cache-control')).toBe('private, no-cache')
})

test('the pages together are all tasks, each once, whatever comes in meanwhile', async () => {
  await using env = await testBindings()
  const ids = await several(env, 45)
  const first = await page(env)
  expect(first.ids).toHaveLength(20)
  await completedTask(env)
  const second = await page(env, `?cursor=${first.nextCursor}`)
  const third = await page(env, `?cursor=${second.nextCursor}`)
  expect([...first.ids, ...second.ids, ...third.ids]).toEqual(ids)
  expect(third.nextCursor).toBeNull()
})

test('a page that the tasks just fill has no next one', async () => {
  await using env = await testBindings()
  const ids = await several(env, 3)
  expect(await page(env, '?limit=3')).toMatchObject({ ids, nextCursor: null })
  expect((await page(env, '?limit=2')).nextCursor).not.toBeNull()
})

test('limit is 1 to 100; the store is asked for one more', async () => {
  await using env = await testBindings()
  const asked: TaskQuery[] = []
  const list = async (query: TaskQuery): Promise<Task[]> => {
    asked.push(query)
    return []
  }
  const watched = { ...env, tasks: { ...env.tasks, list } }
  for (const query of ['', '?limit=1', '?limit=100']) await page(watched, query)
  expect(asked.map(({ limit }) => limit)).toEqual([21, 2, 101])
  for (const limit of ['0', '101', '-1', '', 'x', '1.5', '1&limit=2']) {
    const response = await ask(watched, `?limit=${limit}`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'invalid-request', errors: [{ pointer: 'limit' }] })
  }
})

test('as many pairs of metadata as a task has at most, and not one more', async () => {
  await using env = await testBindings()
  const asking = (count: number): string =>
    `?${Array.from({ length: count }, (_, at) => `metadata.k${at}=x`).join('&')}`
  const metadata = Object.fromEntries(Array.from({ length: METADATA_PAIRS_MAX }, (_, at) => [`k${at}`, 'x']))
  const ids = await several(env, 1, { metadata })
  expect((await page(env, asking(METADATA_PAIRS_MAX))).ids).toEqual(ids)
  const response = await ask(env, asking(METADATA_PAIRS_MAX + 1))
  expect(response.status).toBe(400)
  const errors = [{ pointer: 'metadata', detail: 'Expected at most 20 pairs, got 21.' }]
  expect(await response.json()).toMatchObject({ code: 'invalid-request', errors })
})

test('filters by status, code and every pair of metadata', async () => {
  await using env = await testBindings()
  const [failed] = await several(env, 1, { metadata: { album: 'summer', 'a b&c': 'ü=1' } })
  const [other] = await several(env, 1, { metadata: { album: 'summer' } })
  await fail(env, failed!, { code: 'image-corrupt', message: '' })
  for (const [query, ids] of [
    ['?status=failed', [failed]],
    ['?status=pending', [other]],
    ['?status=completed', []],
    ['?code=image-corrupt', [failed]],
    ['?code=source-timeout', []],
    ['?metadata.album=summer&status=pending', [other]],
    ['?metadata.album=summer&metadata.a+b%26c=%C3%BC%3D1', [failed]],
    ['?metadata.album=winter', []],
    ['?metadata.__proto__=x', []],
  ] as const) {
    expect((await page(env, query)).ids).toEqual(ids)
  }
})

test('the link to the next page keeps all filters', async () => {
  await using env = await testBindings({ settings: testSettings({ publicUrl: 'https://img.example' }) })
  const metadata = { album: 'a>b "c"', 'k&': 'ü' }
  const ids = await several(env, 3, { metadata })
  const query = new URLSearchParams({ status: 'pending', 'metadata.k&': 'ü', 'metadata.album': 'a>b "c"', limit: '2' })
  const { link, nextCursor } = await page(env, `?${query.toString()}`)
  const [, target] = /^<([^<>\s"]+)>; rel="next"$/.exec(link!)!
  const next = new URL(target!)
  expect(next.origin).toBe('https://img.example')
  expect(Object.fromEntries(next.searchParams)).toEqual({ ...Object.fromEntries(query), cursor: nextCursor })
  expect((await page(env, next.search)).ids).toEqual([ids[2]])
})

test('the order of the filters does not matter to a cursor; another page size is allowed', async () => {
  await using env = await testBindings()
  const ids = await several(env, 3, { metadata: { a: '1', b: '2' } })
  const { nextCursor } = await page(env, '?metadata.a=1&metadata.b=2&limit=1')
  expect((await page(env, `?metadata.b=2&metadata.a=1&limit=50&cursor=${nextCursor}`)).ids).toEqual(ids.slice(1))
})

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

test.for([
  '',
  'x',
  '%00',
  encoded(null),
  encoded({}),
  encoded([]),
  encoded({ before: newTaskId() }),
  encoded({ before: 'x', filters: 'x' }),
  encoded({ before: newTaskId(), filters: 'x' }),
])('400 for a cursor that is none: %s', async (cursor) => {
  await using env = await testBindings()
  const response = await ask(env, `?cursor=${cursor}`)
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ code: 'invalid-cursor' })
})

test('400 for a cursor that is altered, even where it decodes to the same', async () => {
  await using env = await testBindings()
  await several(env, 3)
  const { nextCursor } = await page(env, '?limit=1')
  const { before, filters } = JSON.parse(Buffer.from(nextCursor!, 'base64url').toString()) as Record<string, string>
  for (const cursor of [`${nextCursor}!!`, `${nextCursor}=`, `!${nextCursor}`, encoded({ filters, before })]) {
    const response = await ask(env, `?limit=1&cursor=${encodeURIComponent(cursor)}`)
    expect([cursor, response.status]).toEqual([cursor, 400])
    expect(await response.json()).toMatchObject({ code: 'invalid-cursor' })
  }
  expect((await ask(env, `?limit=1&cursor=${nextCursor}`)).status).toBe(200)
})

test('400 for a cursor of other filters', async () => {
  await using env = await testBindings()
  await several(env, 3, { metadata: { a: '1' } })
  const { nextCursor } = await page(env, '?limit=1&metadata.a=1')
  for (const filters of ['', '&metadata.a=2', '&metadata.a=1&status=pending', '&metadata.a=1&code=image-corrupt']) {
    const response = await ask(env, `?cursor=${nextCursor}${filters}`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'invalid-cursor' })
  }
})

const STATUS = 'Expected one of pending, processing, completed, failed'
const LIMIT = 'Expected a whole number of tasks from 1 to 100'
const NAMES = 'Expected status, code, limit, cursor or metadata.KEY'

test.for([
  ['?colour=red', 'colour', `${NAMES}, got "colour".`],
  ['?metadata=x', 'metadata', `${NAMES}, got "metadata".`],
  ['?metadata.=x', 'metadata.', `${NAMES}, got "metadata.".`],
  ['?metadata.a=1&metadata.a=2', 'metadata.a', 'Expected one value, got ["1","2"].'],
  ['?status=done', 'status', `${STATUS}, got "done".`],
  ['?status=failed&status=pending', 'status', `${STATUS}, got ["failed","pending"].`],
  ['?code=none', 'code', expect.stringMatching(/^Expected one of .*, image-corrupt, .*, got "none"\.$/)],
  ['?limit=500', 'limit', `${LIMIT}, got "500".`],
  ['?limit=x', 'limit', `${LIMIT}, got "x".`],
  ['?Status=failed', 'Status', `${NAMES}, got "Status".`],
])('400 that names the parameter, what was expected and what came: %s', async ([query, pointer, detail]) => {
  await using env = await testBindings()
  const response = await ask(env, query as string)
  expect(response.status).toBe(400)
  const problem = (await response.json()) as { code: string; detail: string; errors: { detail: string }[] }
  expect(problem).toMatchObject({ code: 'invalid-request', errors: [{ pointer, detail }] })
  expect(problem.detail).toBe(`${pointer as string}: ${problem.errors[0]!.detail}`)
})

test('all unknown parameters are named at once', async () => {
  await using env = await testBindings()
  const { errors } = (await (await ask(env, '?a=1&limit=5&b=2')).json()) as { errors: { pointer: string }[] }
  expect(errors.map(({ pointer }) => pointer)).toEqual(['a', 'b'])
})
