/** What a platform counts beside failures ends no good picture: process-image itself, behind a cloud's queue. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BlobStore } from '#shared/bindings.ts'
import type { Decision } from '#shared/decision.ts'
import { unavailable } from '#shared/errors.ts'
import { INTERRUPTIONS_MAX } from '#shared/limits.ts'
import { taskCreated } from '#shared/message.ts'
import type { Task } from '#shared/task.ts'
import { MEDIA_TYPE, originalKey } from '#shared/variant.ts'
import config from '../../functions/process-image/config.ts'
import app from '../../functions/process-image/index.ts'
import { mark } from '../../runtime/drivers/blobs/marker.ts'
import { openCloudFunction } from '../../runtime/targets/cloud/open.ts'
import { picture } from '../pictures.ts'
import { testTask } from '../tasks.ts'
import { testCloud } from './cloud.ts'

const task = testTask()
const message = taskCreated(task.id)
const { maxAttempts } = config.trigger

let folder: string
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'revela-tries-'))))
afterEach(async () => await rm(folder, { recursive: true, force: true }))

/** One pending task, its original stored, and a blob store that can be away. */
async function opened() {
  const [STORAGE_INPUT_PATH, STORAGE_OUTPUT_PATH] = [join(folder, 'in'), join(folder, 'out')]
  await Promise.all([STORAGE_INPUT_PATH, STORAGE_OUTPUT_PATH].map(mark))
  const env = { AUTH: 'platform', STORAGE_INPUT_PATH, STORAGE_OUTPUT_PATH }
  const { options, tasks } = testCloud([{ name: 'process-image', config, app }], env)
  const state = { away: false, reading: async (): Promise<void> => {} }
  const { openStack } = options
  const cloud = await openCloudFunction({
    ...options,
    openStack: async (...args) => {
      const stack = await openStack(...args)
      const key = originalKey(task.id, 'jpeg')
      const { bytes, sha256 } = await stack.blobs.put(key, await picture())
      const source = { ...task.source, key, bytes, sha256, mediaType: MEDIA_TYPE.jpeg }
      await tasks.create({ ...task, source }, message)
      const asFile: BlobStore['asFile'] = async (...asked) => {
        if (state.away) throw unavailable('blob store')
        await state.reading()
        return await stack.blobs.asFile(...asked)
      }
      return { ...stack, blobs: { ...stack.blobs, asFile } }
    },
  })
  const deliver = async (received: number | null): Promise<Decision> =>
    await cloud.deliver(message, { received, remainingMs: 60_000 })
  return { state, deliver, found: async () => (await tasks.get(task.id)) as Task }
}

test.each([
  ['the platform counts', true],
  ['it tells no count', false],
])('a store that is away, where %s', async (_where, tells) => {
  const { state, deliver, found } = await opened()
  state.away = true
  const times = 2 * maxAttempts
  for (let received = 1; received <= times; received++) {
    expect(await deliver(tells ? received : null)).toMatchObject({ kind: 'retry', counted: false })
  }
  state.away = false
  expect(await deliver(tells ? times + 1 : null)).toEqual({ kind: 'ack' })
  expect(await found()).toMatchObject({ status: 'completed', attempts: 1, deliveries: times + 1, uncounted: times })
})

test.each([
  ['the platform counts', 1],
  ['it tells no count', null],
])('as many duplicates as a sweeper sends while nobody takes them, where %s', async (_where, received) => {
  const { state, deliver, found } = await opened()
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  state.reading = async () => {
    begun.resolve()
    await goOn.promise
  }
  const first = deliver(received)
  await begun.promise
  for (let duplicate = 0; duplicate < 2 * (maxAttempts + INTERRUPTIONS_MAX); duplicate++) {
    const decision = await deliver(received)
    expect(decision).toMatchObject({ kind: 'retry', counted: false })
    expect((decision as { afterMs: number }).afterMs).toBeGreaterThan(0)
  }
  goOn.resolve()
  expect(await first).toEqual({ kind: 'ack' })
  expect(await deliver(received)).toEqual({ kind: 'ack' })
  expect(await found()).toMatchObject({ status: 'completed', attempts: 1, deliveries: 1 })
})
