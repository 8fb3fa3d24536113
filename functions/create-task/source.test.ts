import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { unavailable } from '#shared/errors.ts'
import { newTaskId } from '#shared/task.ts'
import { testBindings, testInvocation, testSettings, type TestBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { imagePart, postForm, postJson, problemOf, taskOf } from './requests.fixture.ts'

const jpeg = await picture({ width: 300, height: 200, orientation: 6 })

async function first(env: TestBindings) {
  return await taskOf(await postForm(env, [imagePart(jpeg, 'cat.jpg')]))
}

test("another task's original makes a new task, and either may go alone", async () => {
  await using env = await testBindings()
  const before = await first(env)
  const response = await postJson(env, { taskId: before.id, variants: ['7x'], format: 'webp' })
  expect(response.status).toBe(202)
  const task = await taskOf(response)
  expect(task.id).not.toBe(before.id)
  expect(task).toMatchObject({ retryOf: before.id, options: { variants: ['7x'], format: 'webp' } })
  expect(task.source).toEqual({ ...before.source, kind: 'task' })
  const copy = join(env.folder, 'input', task.id, 'original.jpg')
  expect((await stat(copy)).size).toBe(jpeg.length)
  await env.blobs.deleteTask(before.id)
  expect((await stat(copy)).size).toBe(jpeg.length)
})

test('a task that is not there is named', async () => {
  await using env = await testBindings()
  for (const taskId of [newTaskId(), 'nope', '../../etc', '']) {
    const problem = await problemOf(await postJson(env, { taskId }))
    expect(problem).toMatchObject({ status: 404, code: 'not-found' })
    expect(problem.detail).toContain(taskId)
  }
})

test('an original that was discarded, or whose file is gone', async () => {
  await using env = await testBindings()
  const discarded = await first(env)
  await env.tasks.claim(discarded.id, { attempt: 1, nextCheckAt: Date.now() })
  await env.tasks.settle(discarded.id, 1, { status: 'failed', error: { code: 'image-corrupt', message: 'no' } })
  await env.tasks.discardOriginal(discarded.id)
  const lost = await first(env)
  await env.blobs.deleteTask(lost.id)
  await env.blobs.deleteTask(discarded.id)
  for (const { id } of [discarded, lost]) {
    expect(await problemOf(await postJson(env, { taskId: id }))).toMatchObject({ status: 409, code: 'original-gone' })
  }
  expect(await readdir(join(env.folder, 'input'))).toEqual([])
})

test('an original that is still being fetched', async () => {
  await using env = await testBindings()
  const { id } = await taskOf(await postJson(env, { url: 'https://example.com/cat.jpg' }))
  const response = await postJson(env, { taskId: id })
  expect(response.headers.get('retry-after')).toBe('2')
  expect(await problemOf(response)).toMatchObject({ status: 409, code: 'task-not-finished' })
})

test('the limits of now hold for a picture of before', async () => {
  await using env = await testBindings()
  const { id } = await first(env)
  env.settings = testSettings({ outputCostMax: 100 })
  expect(await problemOf(await postJson(env, { taskId: id }))).toMatchObject({ status: 422, code: 'output-too-costly' })
  env.settings = testSettings({ inputPixelsMax: 100 })
  expect(await problemOf(await postJson(env, { taskId: id }))).toMatchObject({
    status: 422,
    code: 'image-too-many-pixels',
  })
  expect(await readdir(join(env.folder, 'input'))).toEqual([id])
})

test("another task's original that is refused after it was copied", async () => {
  await using env = await testBindings()
  const first = await taskOf(await postForm(env, [imagePart(jpeg)]))
  const { tasks } = env
  env.tasks = { ...tasks, create: async () => await Promise.reject(unavailable('task store')) }
  expect((await postJson(env, { taskId: first.id })).status).toBe(503)
  expect(await readdir(join(env.folder, 'input'))).toEqual([first.id])
})

test("a sender that goes away while another task's original is copied", async () => {
  const gone = new AbortController()
  await using env = await testBindings({ invocation: testInvocation({ signal: gone.signal }) })
  const first = await taskOf(await postForm(env, [imagePart(jpeg)]))
  const { blobs } = env
  env.blobs = {
    ...blobs,
    copy: async (from, to) => {
      gone.abort()
      return await blobs.copy(from, to)
    },
  }
  expect((await postJson(env, { taskId: first.id })).status).toBe(408)
  expect(await readdir(join(env.folder, 'input'))).toEqual([first.id])
  expect(env.queue.sent).toHaveLength(1)
})
