import { expect, test } from 'vitest'
import { sampleTask } from '../../../test/drivers/samples.ts'
import { READ, READ_MAJORITY } from '../mongodb/concerns.ts'
import { readDurable } from './mongodb-durable.ts'

const now = new Date().toISOString()
const old = new Date(Date.now() - 120_000).toISOString()

test.each([
  ['a task that ended a moment ago is read again when that is durable', { status: 'failed', updatedAt: now }, true],
  ['one that ended long ago is not', { status: 'completed', updatedAt: old }, false],
  ['one that has not ended is not', { status: 'processing', updatedAt: now }, false],
] as const)('%s', async (_name, task, again) => {
  const calls: unknown[] = []
  const read = async (options: object) => {
    calls.push(options)
    return [sampleTask({ status: 'pending' }), sampleTask(task)]
  }
  const tasks = await readDurable(read, async () => void calls.push('flush'))
  expect(tasks).toHaveLength(2)
  expect(calls).toEqual(again ? [READ, 'flush', READ_MAJORITY] : [READ])
})
