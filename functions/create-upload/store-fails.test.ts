import { expect, test } from 'vitest'
import type { TaskStore } from '#shared/bindings.ts'
import { InvocationEnded, unavailable } from '#shared/errors.ts'
import { testBindings, testInvocation } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { answerOf, complete, filesOf, uploadedBy } from './uploads.fixture.ts'

const uploaded = uploadedBy(new Uint8Array(await picture({ width: 300, height: 200 })))

test('what was uploaded stays, and the same call again makes the task', async () => {
  await using env = await testBindings()
  const id = await uploaded(env)
  const tasks = { ...env.tasks, create: async () => Promise.reject(unavailable('task store')) }
  const refused = await complete({ ...env, tasks }, id)
  expect(refused.headers.get('retry-after')).not.toBeNull()
  expect(await answerOf(refused)).toBe('503 unavailable')
  expect(await filesOf(env, id)).toEqual(['original.jpg', 'upload.bin', 'upload.json'])
  expect((await complete(env, id)).status).toBe(202)
  expect(await filesOf(env, id)).toEqual(['original.jpg'])
})

test('a task that was written although it seemed to fail is the answer', async () => {
  await using env = await testBindings()
  const id = await uploaded(env)
  const create: TaskStore['create'] = async (task, message) => {
    await env.tasks.create(task, message)
    throw unavailable('task store')
  }
  const response = await complete({ ...env, tasks: { ...env.tasks, create } }, id)
  expect([response.status, response.headers.has('idempotent-replayed')]).toEqual([202, false])
  expect(await filesOf(env, id)).toEqual(['original.jpg'])
})

test('nothing is removed once the invocation has ended', async () => {
  await using env = await testBindings()
  const id = await uploaded(env)
  const tasks = { ...env.tasks, create: async () => Promise.reject(new InvocationEnded()) }
  expect(await answerOf(await complete({ ...env, tasks }, id))).toBe('500 internal-error')
  expect(await filesOf(env, id)).toEqual(['original.jpg', 'upload.bin', 'upload.json'])
})

test('an original that was discarded meanwhile does not come back', async () => {
  await using env = await testBindings()
  const id = await uploaded(env)
  // Another's completion, processing and discarding, between our copy and our insert.
  const create: TaskStore['create'] = async (task, message) => {
    await env.tasks.create({ ...task, source: { ...task.source, key: null } }, message)
    return 'exists'
  }
  const response = await complete({ ...env, tasks: { ...env.tasks, create } }, id)
  expect([response.status, response.headers.get('idempotent-replayed')]).toEqual([202, 'true'])
  expect(await filesOf(env, id)).toEqual([])
})

test('leftovers that cannot be removed do not take the task back', async () => {
  const warnings: string[] = []
  const log = { ...testInvocation().log, warn: (message: string) => void warnings.push(message) }
  await using env = await testBindings({ invocation: testInvocation({ log }) })
  const id = await uploaded(env)
  const blobs = { ...env.blobs, delete: async () => Promise.reject(unavailable('blob store')) }
  expect((await complete({ ...env, blobs }, id)).status).toBe(202)
  expect(warnings).toHaveLength(2)
})
