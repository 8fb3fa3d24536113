import { expect, test } from 'vitest'
import type { Caller, Links, TaskStore } from '#shared/bindings.ts'
import { newTaskId } from '#shared/task.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { complete, completedTask, fail, pendingTask } from '../../test/tasks.ts'
import app from './index.ts'

const get = async (env: TestBindings, id: string, headers: Record<string, string> = {}) =>
  await app.request(`/tasks/${id}`, { headers }, env)

const as = (caller: Caller) => ({ invocation: testInvocation({ caller }) })

/** A store that tells when a request begins to wait for changes. */
function waited(tasks: TaskStore) {
  const begun = Promise.withResolvers<void>()
  const changes: TaskStore['changes'] = async function* (id, signal) {
    for await (const task of tasks.changes(id, signal)) {
      begun.resolve()
      yield task
    }
  }
  return { begun: begun.promise, tasks: { ...tasks, changes } }
}

test('answers with the task, and 304 to who has it', async () => {
  await using env = await testBindings()
  const task = await completedTask(env)
  const response = await get(env, task.id)
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(response.headers.get('cache-control')).toBe('no-cache')
  expect(response.headers.get('vary')).toBe('Accept')
  const etag = response.headers.get('etag')!
  expect(etag).toMatch(/^"[\w-]{43}"$/)
  expect(await response.json()).toMatchObject({
    id: task.id,
    status: 'completed',
    variants: [{ name: '800x800', href: `/tasks/${task.id}/variants/800x800` }],
  })
  for (const names of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await get(env, task.id, { 'If-None-Match': names })
    expect(again.status).toBe(304)
    expect(again.headers.get('etag')).toBe(etag)
    expect(again.headers.get('vary')).toBe('Accept')
    expect(again.headers.get('cache-control')).toBe('no-cache')
    expect(await again.text()).toBe('')
  }
  expect((await get(env, task.id, { 'If-None-Match': '"other"' })).status).toBe(200)
})

test('the tag covers the window of the links', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const links = (window: string): Links => ({
    ...env.links,
    of: async (task) => ({ ...(await env.links.of(task)), events: `/tasks/${id}?exp=${window}` }),
  })
  const first = await get({ ...env, links: links('1') }, id)
  const same = await get({ ...env, links: links('1') }, id)
  const next = await get({ ...env, links: links('2') }, id)
  expect(same.headers.get('etag')).toBe(first.headers.get('etag'))
  expect(next.headers.get('etag')).not.toBe(first.headers.get('etag'))
})

test('HEAD answers with the headers alone', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const response = await app.request(`/tasks/${id}`, { method: 'HEAD' }, env)
  expect(response.status).toBe(200)
  expect(response.headers.get('etag')).toBe((await get(env, id)).headers.get('etag'))
  expect(response.body).toBeNull()
})

test.for([newTaskId(), 'nothing', 'x'.repeat(3_000), '%00', '%2e%2e%2fetc'])(
  '404 for an unknown id: %s',
  async (id) => {
    await using env = await testBindings()
    const response = await get(env, id)
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-revela-unmatched')).toBeNull()
    expect(await response.json()).toMatchObject({ code: 'not-found' })
  },
)

test('404 once the task is deleted', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  await env.tasks.delete(id)
  expect((await get(env, id)).status).toBe(404)
})

test('without key and link only a public task is shown, and existence does not leak', async () => {
  await using env = await testBindings(as({ kind: 'anonymous' }))
  const signed = await completedTask(env)
  const answers = await Promise.all([signed.id, newTaskId(), 'nothing'].map((id) => get(env, id)))
  for (const response of answers) {
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(await response.json()).toMatchObject({ code: 'unauthorized' })
  }
  const open = await pendingTask(env)
  const shown = await completedTask(env, { options: { ...open.options, access: 'public' } })
  expect((await get(env, shown.id)).status).toBe(200)
})

test.for<Caller>([{ kind: 'open' }, { kind: 'key', keyId: 'k' }, { kind: 'link', expiresAt: Date.now() + 1_000 }])(
  'shown to $kind',
  async (caller) => {
    await using env = await testBindings(as(caller))
    const { id } = await completedTask(env)
    expect((await get(env, id)).status).toBe(200)
    expect((await get(env, newTaskId())).status).toBe(404)
  },
)

test('Prefer: wait holds the answer until the task has ended', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  const { begun, tasks } = waited(env.tasks)
  const waiting = get({ ...env, tasks }, id, { Prefer: 'respond-async, wait=20' })
  await begun
  await env.tasks.claim(id, { attempt: 1, nextCheckAt: Date.now() })
  await complete(env, id)
  const response = await waiting
  expect(response.headers.get('preference-applied')).toBe('wait=20')
  expect(await response.json()).toMatchObject({ status: 'completed' })
})

test('Prefer: wait is at most 30 seconds, and is no wait at all for a task that has ended', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const response = await get(env, id, { Prefer: 'wait=31' })
  expect(response.headers.get('preference-applied')).toBe('wait=30')
  const { id: pending } = await pendingTask(env)
  const now = await get(env, pending, { Prefer: 'wait=0' })
  expect(now.headers.get('preference-applied')).toBe('wait=0')
  expect(await now.json()).toMatchObject({ status: 'pending' })
  expect((await get(env, pending, { Prefer: 'wait=soon' })).headers.get('preference-applied')).toBeNull()
})

test('wait with If-None-Match compares with the state at the end of the wait', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  const etag = (await get(env, id)).headers.get('etag')!
  const { begun, tasks } = waited(env.tasks)
  const waiting = get({ ...env, tasks }, id, { Prefer: 'wait=20', 'If-None-Match': etag })
  await begun
  await complete(env, id)
  const changed = await waiting
  expect(changed.status).toBe(200)
  expect(await changed.json()).toMatchObject({ status: 'completed' })

  const gone = new AbortController()
  const { id: still } = await pendingTask(env)
  const old = (await get(env, still)).headers.get('etag')!
  const second = waited(env.tasks)
  const invocation = testInvocation({ signal: gone.signal })
  const unchanged = get({ ...env, tasks: second.tasks, invocation }, still, { Prefer: 'wait=20', 'If-None-Match': old })
  await second.begun
  gone.abort()
  expect((await unchanged).status).toBe(304)
  expect((await unchanged).headers.get('preference-applied')).toBe('wait=20')
})

test('404 when the task is deleted while it is waited for', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  const { begun, tasks } = waited(env.tasks)
  const waiting = get({ ...env, tasks }, id, { Prefer: 'wait=20' })
  await begun
  await env.tasks.delete(id)
  expect((await waiting).status).toBe(404)
})

test('a failed task is an answer like any other', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  await fail(env, id, { code: 'image-corrupt', message: 'The image is cut off.' })
  const response = await get(env, id)
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ status: 'failed', error: { code: 'image-corrupt' } })
})

test('503 when the store is away, told by the store', async () => {
  const { unavailable } = await import('#shared/errors.ts')
  await using env = await testBindings()
  const away = async (): Promise<never> => {
    throw unavailable('task store')
  }
  const response = await get({ ...env, tasks: { ...env.tasks, get: away } }, newTaskId())
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('2')
})

test.for([
  ['text/event-stream', true],
  ['application/json, text/event-stream;q=0.5', false],
  ['application/json;q=0.5, TEXT/event-stream', true],
  ['text/event-stream;q=0', false],
  ['*/*', false],
  ['text/*', false],
] as const)('Accept: %s streams: %s', async ([Accept, streams]) => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  const response = await get(env, id, { Accept })
  expect(response.headers.get('content-type')).toBe(streams ? 'text/event-stream' : 'application/json')
  await response.body?.cancel()
})
