/** Which tasks and variants there are to be had, for whom, and when. */
import { expect, test } from 'vitest'
import type { Bindings, Caller } from '#shared/bindings.ts'
import { newTaskId } from '#shared/task.ts'
import { testBindings, testInvocation, testSettings, type TestBindings } from '../../test/bindings.ts'
import { complete, completedTask, fail, pendingTask } from '../../test/tasks.ts'
import app from './index.ts'

type Env = Bindings

const ask = async (env: Env, id: string, tail = 'variants/800x800', headers: Record<string, string> = {}) =>
  await app.request(`/tasks/${id}/${tail}`, { headers }, env)

test.for([
  [newTaskId(), 'variants/800x800'],
  ['nothing', 'variants/800x800'],
  [newTaskId(), 'original'],
  ['%00', 'original'],
])('404 for an unknown task: %s/%s', async ([id, tail]) => {
  await using env = await testBindings()
  const response = await ask(env, id!, tail)
  expect(response.status).toBe(404)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('x-revela-unmatched')).toBeNull()
})

test.for(['1x1', 'original', '..%2f800x800', 'x'.repeat(3_000), '__proto__'])(
  '404 for an unknown variant, at once: %s',
  async (name) => {
    await using env = await testBindings()
    const { id } = await completedTask(env)
    const { id: pending } = await pendingTask(env)
    expect((await ask(env, id, `variants/${name}`)).status).toBe(404)
    expect((await ask(env, pending, `variants/${name}?wait=30`)).status).toBe(404)
  },
)

test('404 once it is deleted', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  await env.tasks.delete(id)
  expect((await ask(env, id)).status).toBe(404)
})

test('409 while it is not finished', async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  for (const tail of ['variants/800x800', 'variants/800x800?wait=0', 'variants/800x800?format=webp']) {
    const response = await ask(env, id, tail)
    expect(response.status).toBe(409)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toMatchObject({ status: 409, code: 'task-not-finished' })
  }
})

test("409 with the task's own code and message when it failed", async () => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  await fail(env, id, { code: 'image-corrupt', message: 'The image is cut off.' })
  const response = await ask(env, id)
  expect(response.status).toBe(409)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await response.json()).toMatchObject({ status: 409, code: 'image-corrupt', detail: 'The image is cut off.' })
})

/** Resolves when a request waits for changes. */
function waiting(env: TestBindings) {
  const begun = Promise.withResolvers<void>()
  const changes: typeof env.tasks.changes = async function* (id, signal) {
    for await (const task of env.tasks.changes(id, signal)) {
      begun.resolve()
      yield task
    }
  }
  return { begun: begun.promise, env: { ...env, tasks: { ...env.tasks, changes } } }
}

test('?wait holds the answer until the variant is there, or the task failed or is deleted', async () => {
  await using env = await testBindings()
  for (const [end, status] of [
    [(id: string) => complete(env, id), 200],
    [(id: string) => fail(env, id, { code: 'image-corrupt', message: '' }), 409],
    [(id: string) => env.tasks.delete(id), 404],
  ] as const) {
    const { id } = await pendingTask(env)
    const watched = waiting(env)
    const answer = ask(watched.env, id, 'variants/800x800?wait=30')
    await watched.begun
    await end(id)
    const response = await answer
    expect(response.status).toBe(status)
    await response.body?.cancel()
  }
})

test.for(['wait=31', 'wait=-1', 'wait=', 'wait=1.5', 'wait=x', 'format=png', 'format=', 'format=webp&format=avif'])(
  '400 for ?%s',
  async (query) => {
    await using env = await testBindings()
    const { id } = await completedTask(env)
    const response = await ask(env, id, `variants/800x800?${query}`)
    expect(response.status).toBe(400)
    const [, name, value] = /^(\w+)=([^&]*)/.exec(query)!
    const expected = name === 'wait' ? 'a whole number of seconds from 0 to 30' : 'one of webp, avif, jpeg'
    const got = query.includes('&') ? '["webp","avif"]' : `"${value}"`
    expect(await response.json()).toMatchObject({
      code: 'invalid-request',
      errors: [{ pointer: name, detail: `Expected ${expected}, got ${got}.` }],
    })
  },
)

test('without key and link only a public task is shown, and existence does not leak', async () => {
  const caller: Caller = { kind: 'anonymous' }
  await using env = await testBindings({
    invocation: testInvocation({ caller }),
    settings: testSettings({ keyed: true }),
  })
  const { id, options } = await completedTask(env)
  for (const tail of ['variants/800x800', 'variants/none', 'original']) {
    for (const task of [id, newTaskId(), 'nothing']) {
      const response = await ask(env, task, tail)
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
    }
  }
  const open = await completedTask(env, { options: { ...options, access: 'public' } })
  const response = await ask(env, open.id)
  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
  await response.body!.cancel()
})
