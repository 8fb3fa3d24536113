import { expect, test } from 'vitest'
import { sampleTask } from '../../../test/drivers/samples.ts'
import { READ, READ_MAJORITY } from '../mongodb/concerns.ts'
import { readDurable, sharedRuns } from './mongodb-durable.ts'

/** Runs that end when they are told to. */
function controlled() {
  const ends: PromiseWithResolvers<void>[] = []
  const run = sharedRuns<void>(() => {
    const end = Promise.withResolvers<void>()
    ends.push(end)
    return end.promise
  })
  return { run, ends }
}

test('whoever asks while one runs gets one that began after the asking, and shares it', async () => {
  const { run, ends } = controlled()
  const first = run()
  const [second, third] = [run(), run()]
  expect(ends).toHaveLength(1)
  let secondEnded = false
  void second.then(() => (secondEnded = true))
  ends[0]!.resolve()
  await first
  await Promise.resolve()
  expect(ends).toHaveLength(2)
  expect(secondEnded).toBe(false)
  ends[1]!.resolve()
  await Promise.all([second, third])
  void run()
  expect(ends).toHaveLength(3)
})

test('one that fails is its askers’ alone', async () => {
  const { run, ends } = controlled()
  const first = run()
  const second = run()
  ends[0]!.reject(new Error('away'))
  await expect(first).rejects.toThrow('away')
  ends[1]!.resolve()
  await second
})

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
