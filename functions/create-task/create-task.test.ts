import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { testBindings } from '../../test/bindings.ts'
import { picture } from '../../test/pictures.ts'
import { FORM, formBytes, imagePart, post, postForm, slices, streamOf, taskOf } from './requests.fixture.ts'

const jpeg = await picture({ width: 300, height: 200 })
const sha256 = createHash('sha256').update(jpeg).digest('hex')

test('a form makes a task, its original and its message', async () => {
  await using env = await testBindings()
  const response = await postForm(env, [imagePart(jpeg, 'cat.jpg'), { name: 'variants', value: '100x,x50' }])
  expect(response.status).toBe(202)
  const task = await taskOf(response)
  expect(response.headers.get('location')).toBe(`/tasks/${task.id}`)
  expect(response.headers.get('retry-after')).toBe('1')
  expect(response.headers.get('preference-applied')).toBeNull()
  expect(task).toMatchObject({
    status: 'pending',
    source: {
      kind: 'upload',
      filename: 'cat.jpg',
      mediaType: 'image/jpeg',
      bytes: jpeg.length,
      width: 300,
      height: 200,
      sha256,
    },
    options: { variants: ['100x', 'x50'], format: 'jpeg' },
  })
  expect(await readdir(join(env.folder, 'input', task.id))).toEqual(['original.jpg'])
  expect(env.queue.sent).toMatchObject([{ id: `${task.id}.created`, type: 'task.created', subject: task.id }])
  expect(env.queue.sent[0]?.traceparent).toBe(env.invocation.traceparent)
})

test('raw bytes', async () => {
  await using env = await testBindings()
  const response = await post(env, { body: streamOf(slices(jpeg, 1000)), query: '?variants=10x10:cover&quality=33' })
  expect(response.status).toBe(202)
  expect(await taskOf(response)).toMatchObject({ source: { sha256, filename: null } })
})

test('a form in single bytes', async () => {
  await using env = await testBindings()
  const small = await picture({ width: 16, height: 16 })
  const response = await post(env, { body: streamOf(slices(formBytes([imagePart(small)]), 1)), type: FORM })
  expect(response.status).toBe(202)
})
