/** `If-Match`, `If-Unmodified-Since` and `If-None-Match`: only what the client has seen is deleted. */
import { expect, test } from 'vitest'
import { SECOND_MS } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { taskBody } from '#shared/task-body.ts'
import { testBindings, testInvocation, type TestBindings } from '../../test/bindings.ts'
import { complete, completedTask, pendingTask } from '../../test/tasks.ts'
import app from './index.ts'

const remove = async (env: TestBindings, id: string, headers: Record<string, string>) =>
  await app.request(`/tasks/${id}`, { method: 'DELETE', headers }, env)

test('412 where the task has changed since it was read, and nothing of it goes', async () => {
  await using env = await testBindings({ invocation: testInvocation({ caller: { kind: 'key', keyId: 'a' } }) })
  const pending = await pendingTask(env)
  const { etag: seen } = await taskBody(pending, env)
  const { id, updatedAt } = await complete(env, pending.id)
  const task = (await env.tasks.get(id))!
  const { etag } = await taskBody(task, env)
  const earlier = new Date(Date.parse(updatedAt) - SECOND_MS).toUTCString()
  for (const headers of [
    { 'If-Match': seen },
    { 'If-Match': `W/${etag}` },
    { 'If-Match': '' },
    { 'If-Unmodified-Since': earlier },
    { 'If-None-Match': '*' },
    { 'If-None-Match': `"x", ${etag}` },
    { 'If-None-Match': `W/${etag}` },
    { 'If-Match': etag, 'If-None-Match': '*' },
  ]) {
    const response = await remove(env, id, headers)
    expect([headers, response.status]).toEqual([headers, 412])
    expect(await response.json()).toMatchObject({ code: 'precondition-failed' })
  }
  expect(await env.tasks.get(id)).toEqual(task)
  expect(await env.blobs.listTasks('', 10)).toEqual([id])
  expect(env.queue.removed).toEqual([])
  expect((await remove(env, id, { 'If-Match': etag, 'If-Unmodified-Since': earlier })).status).toBe(204)
  expect((await remove(env, id, { 'If-Match': etag })).status).toBe(404)
})

test.for(['*', 'date'])('204 where it is the one that was read: %s', async (how) => {
  await using env = await testBindings()
  const { id, updatedAt } = await completedTask(env)
  const date = new Date(updatedAt).toUTCString()
  expect((await remove(env, id, how === '*' ? { 'If-Match': '*' } : { 'If-Unmodified-Since': date })).status).toBe(204)
})

test('204 where it is none of those that the client excludes', async () => {
  await using env = await testBindings()
  const { id } = await completedTask(env)
  expect((await remove(env, id, { 'If-None-Match': '"x", W/"y"' })).status).toBe(204)
  expect((await remove(env, id, { 'If-None-Match': '*' })).status).toBe(404)
})

test('what is not there is 404, not 412', async () => {
  await using env = await testBindings()
  for (const id of [newTaskId(), 'nothing']) expect((await remove(env, id, { 'If-Match': '*' })).status).toBe(404)
})
