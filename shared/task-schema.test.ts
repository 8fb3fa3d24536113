import { expect, expectTypeOf, test } from 'vitest'
import type { z } from '@hono/zod-openapi'
import { completion, FAILURE, sampleDerived, sampleTask, sampleVariant } from '../test/drivers/samples.ts'
import { variantSpec } from '../test/tasks.ts'
import type { Task } from './task.ts'
import { taskDocument, taskJsonSchema } from './task-schema.ts'

test('the schema is that of a Task, no more and no less', () => {
  expectTypeOf<z.infer<typeof taskDocument>>().toEqualTypeOf<Task>()
})

const pending = sampleTask({ metadata: { 'a.b': '$c' } })
const completed: Task = {
  ...pending,
  ...(completion(pending.id) as object),
  options: { ...pending.options, variants: [variantSpec()] },
  variants: [{ ...sampleVariant(pending.id), derived: { webp: sampleDerived(pending.id) } }],
  callback: { url: 'https://a.test/', status: 'failed', attempts: 3, lastStatus: 500 },
  expiresAt: new Date().toISOString(),
}
const failed = { ...pending, ...(FAILURE as object), nextCheckAt: null }

test.each([
  ['pending', pending],
  ['completed', completed],
  ['failed', failed],
])('a %s task passes, and nothing of it is left out', (_name, task) => {
  expect(taskDocument.parse(task)).toEqual(task)
})

test.each<[string, object]>([
  ['an id that is no UUIDv7', { id: 'x' }],
  ['a status that is none', { status: 'done' }],
  ['a time without milliseconds', { createdAt: '2026-01-01T00:00:00Z' }],
  ['progress beyond 1', { progress: 1.1 }],
  ['half a delivery', { deliveries: 0.5 }],
  ['a path as a key', { source: { ...pending.source, key: '../etc/passwd' } }],
  ['an error without a code', { error: { message: 'x' } }],
])('%s does not pass', (_name, wrong) => {
  expect(taskDocument.safeParse({ ...pending, ...wrong }).success).toBe(false)
})

test('as JSON Schema it names every field and requires it', () => {
  const { properties, required } = taskJsonSchema()
  expect(Object.keys(properties!).toSorted()).toEqual(Object.keys(pending).toSorted())
  expect(required!.toSorted()).toEqual(Object.keys(pending).toSorted())
})
