import { expect, it } from 'vitest'
import { CALLS } from '#shared/calls.ts'
import { MINUTE_MS } from '#shared/limits.ts'
import { taskCreated } from '#shared/message.ts'
import { testTask, variantSpec } from '../../../test/tasks.ts'
import { checkArgs } from './call-shapes.ts'

const task = testTask()
const { id } = task
const file = { key: `output/${id}/800x800.jpg`, bytes: 1, sha256: 'a'.repeat(64) }
const variant = { ...file, name: '800x800', width: 8, height: 8, mediaType: 'image/jpeg', derived: { webp: file } }
const completed = {
  status: 'completed',
  variants: [variant],
  source: task.source,
  placeholder: null,
  color: '#ffffff',
  warnings: ['small'],
}
const failed = { status: 'failed', error: { code: 'image-corrupt', message: 'It is.' } }
const message = JSON.parse(JSON.stringify(taskCreated(id))) as object
const callback = { url: 'http://a', status: 'delivered', attempts: 1, lastStatus: 200 }

it.each([
  ['tasks.create', [task, message]],
  ['tasks.list', [{ limit: 20, status: 'failed', metadata: { a: 'b' }, before: id }]],
  ['tasks.claim', [id, { attempt: 1, nextCheckAt: 5 }]],
  ['tasks.advance', [id, 1, { progress: 0.5, source: task.source, nextCheckAt: 7 }]],
  ['tasks.advance', [id, 1, { lastError: failed.error }]],
  ['tasks.advance', [id, 1, { source: task.source, lastError: null }]],
  ['tasks.settle', [id, 1, completed]],
  ['tasks.settle', [id, 1, completed, { nextCheckAt: 1 }]],
  ['tasks.settle', [id, 0, failed, { message, nextCheckAt: 1, ttlMs: null }]],
  ['tasks.recordDerived', [id, '800x800', 'webp', file]],
  ['tasks.recordCallback', [id, callback, null]],
  ['tasks.postpone', [id, 1, 2]],
  ['tasks.postpone', [id, 1, 2, failed.error]],
  ['cache.set', [`derived:${id}.800x800.webp`, 'failed', 10 * MINUTE_MS]],
  ['cache.set', [`derived:${id}.${'a'.repeat(64)}.avif`, 'lost', 1]],
  ['cache.add', [`task:${id}`, task, MINUTE_MS]],
  ['cache.get', [`task:${id}`]],
  ['queue.send', [{ ...message, data: null, traceparent: '00-a' }]],
  ['links.of', [{ id, source: task.source, options: { ...task.options, variants: [variantSpec()] } }]],
] as const)('%s takes what is meant for it: %j', (call, args) => {
  const taken = checkArgs(call, args)
  expect(taken.slice(0, args.length)).toEqual(args)
  expect(taken.slice(args.length)).toEqual(taken.slice(args.length).fill(undefined))
})

it.each([
  ['tasks.settle', [id, 1, { ...completed, variants: null }], 'result.variants'],
  ['tasks.settle', [id, 1, { ...completed, variants: [{ ...variant, key: '../../etc' }] }], 'result.variants.0.key'],
  ['tasks.settle', [id, 1, { ...completed, status: 'pending' }], 'result.status'],
  ['tasks.settle', [id, 1, null], 'result'],
  ['tasks.settle', [id, 1, failed, null], 'then'],
  ['tasks.settle', [id, { $gt: 0 }, failed], 'fence'],
  ['tasks.advance', [id, { $gt: 0 }, {}], 'fence'],
  ['tasks.advance', [id, 1, { progress: 2 }], 'change.progress'],
  ['tasks.advance', [id, 1, { source: { $set: 1 } }], 'change.source.kind'],
  ['tasks.claim', [id, { attempt: '1', nextCheckAt: 1 }], 'claim.attempt'],
  ['tasks.claim', [id], 'claim'],
  ['tasks.recordDerived', [id, 'a.b', 'webp', file], 'variant'],
  ['tasks.recordDerived', [id, '800x800', '$where', file], 'format'],
  ['tasks.recordDerived', [id, '800x800', 'webp', { ...file, bytes: {} }], 'file.bytes'],
  ['tasks.recordCallback', [id, callback, { $gt: 0 }], 'nextCheckAt'],
  ['tasks.get', [{ $ne: null }], 'id'],
  ['cache.set', [`derived:${id}.800x800.webp`, 'failed', {}], 'ttlMs'],
  ['cache.set', [`derived:${id}.800x800.webp`, 'failed', 10 * MINUTE_MS + 1], 'ttlMs'],
  ['cache.set', [`derived:${id}.800x800.webp`, 'failed', 0], 'ttlMs'],
  ['cache.set', [`derived:${id}.800x800.webp`, 'later', 1], 'value'],
  ['cache.set', [`derived:${id}.800x800.webp`, { any: 'thing' }, 1], 'value'],
  ['cache.set', [`derived:${id}.${'a'.repeat(65)}.webp`, 'failed', 1], 'key'],
  ['cache.set', [`derived:${id}.800x800.jpeg`, 'failed', 1], 'key'],
  ['cache.set', [`derived:${id}.800x800.webp.1`, 'failed', 1], 'key'],
  ['cache.set', [`derived:${id}.webp`, 'failed', 1], 'key'],
  ['cache.set', [`x:${id}.800x800.webp`, 'failed', 1], 'key'],
  ['cache.set', [`task:${id}`, 'failed', 1], 'key'],
  ['cache.add', [`task:${id}.1`, task, 1], 'key'],
  ['cache.add', [`derived:${id}.800x800.webp`, task, 1], 'key'],
  ['cache.add', [`task:${id}`, { id }, 1], 'value.schemaVersion'],
  ['cache.add', [`task:${id}`, task, MINUTE_MS + 1], 'ttlMs'],
] as const)('%s refuses %j', (call, args, place) => {
  expect(() => checkArgs(call, args)).toThrow(`${call} was called with a ${place} that it does not take: `)
})

it('hands on nothing that the shapes do not know', () => {
  const more = { ...failed, $set: { status: 'completed' } }
  expect(checkArgs('tasks.settle', [id, 1, more, undefined, 'more'])).toEqual([id, 1, failed, undefined])
})

it.each(CALLS)('%s takes no operator where it takes a value', (call) => {
  const args = Array.from({ length: 4 }, () => ({ $ne: null }))
  expect(() => checkArgs(call, args)).toThrow(`${call} was called with a `)
})
