/** `If-Match` and `If-Unmodified-Since`: the task as the client has it, or 412. */
import { expect, test } from 'vitest'
import { SECOND_MS } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { testBindings, type TestBindings } from '../../test/bindings.ts'
import { complete, completedTask, pendingTask } from '../../test/tasks.ts'
import app from './index.ts'

const ask = async (env: TestBindings, id: string, headers: Record<string, string> = {}, method = 'GET') =>
  await app.request(`/tasks/${id}`, { method, headers }, env)

test.for(['GET', 'HEAD'])('%s: 412 once the task is another one', async (method) => {
  await using env = await testBindings()
  const { id } = await pendingTask(env)
  const pending = (await ask(env, id)).headers.get('etag')!
  expect((await ask(env, id, { 'If-Match': pending }, method)).status).toBe(200)
  await complete(env, id)
  const response = await ask(env, id, { 'If-Match': pending }, method)
  expect(response.status).toBe(412)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(await response.text()).toMatch(method === 'GET' ? /"precondition-failed"/ : /^$/)
})

test('by strong comparison, before If-None-Match, and by date where no tag is sent', async () => {
  await using env = await testBindings()
  const { id, updatedAt } = await completedTask(env)
  const etag = (await ask(env, id)).headers.get('etag')!
  const date = new Date(updatedAt).toUTCString()
  const earlier = new Date(Date.parse(updatedAt) - SECOND_MS).toUTCString()
  for (const [headers, status] of [
    [{ 'If-Match': `"x", ${etag}` }, 200],
    [{ 'If-Match': '*' }, 200],
    [{ 'If-Match': `W/${etag}` }, 412],
    [{ 'If-Match': '"x"', 'If-None-Match': etag }, 412],
    [{ 'If-Match': etag, 'If-None-Match': etag }, 304],
    [{ 'If-Match': etag, 'If-Unmodified-Since': earlier }, 200],
    [{ 'If-Unmodified-Since': date }, 200],
    [{ 'If-Unmodified-Since': earlier }, 412],
  ] as const) {
    expect([headers, (await ask(env, id, headers)).status]).toEqual([headers, status])
  }
  expect((await ask(env, newTaskId(), { 'If-Match': '*' })).status).toBe(404)
})
