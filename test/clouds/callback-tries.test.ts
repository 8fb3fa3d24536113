/** A callback that is not taken, on a platform that does not say how often it has sent its event. */
import { expect, test } from 'vitest'
import { retryDelayMs } from '#shared/consumer.ts'
import { CHECK_MARGIN_MS } from '#shared/limits.ts'
import { taskSettled } from '#shared/message.ts'
import config from '../../functions/notify/config.ts'
import app from '../../functions/notify/index.ts'
import { openCloudFunction } from '../../runtime/targets/cloud/open.ts'
import { testTask } from '../tasks.ts'
import { testCloud } from './cloud.ts'

test('comes again as late as its tries ask for, and the sweeper looks no sooner; the last try ends it', async () => {
  // Without PUBLIC_URL nothing is sent, and each try fails.
  const { options, tasks } = testCloud([{ name: 'notify', config, app }])
  const cloud = await openCloudFunction(options)
  const completedAt = new Date().toISOString()
  const callback = { url: 'https://a.example/', status: 'pending', attempts: 0, lastStatus: null } as const
  const task = testTask({ status: 'completed', completedAt, callback })
  const message = taskSettled(task.id)
  await tasks.create({ ...task, nextCheckAt: 1 }, message)
  const { maxAttempts, backoff } = config.trigger
  for (let tried = 1; tried < maxAttempts; tried++) {
    const before = Date.now()
    const decision = await cloud.deliver(message, { received: null, remainingMs: Infinity })
    const [shortest, longest] = [retryDelayMs(backoff, tried, 0), retryDelayMs(backoff, tried, 1)]
    expect(decision).toMatchObject({ kind: 'retry', counted: true })
    const { afterMs } = decision as { afterMs: number }
    expect(afterMs).toBeGreaterThanOrEqual(shortest)
    expect(afterMs).toBeLessThanOrEqual(longest)
    expect((await tasks.get(task.id))!.nextCheckAt).toBeGreaterThanOrEqual(before + longest + CHECK_MARGIN_MS)
  }
  expect(await cloud.deliver(message, { received: null, remainingMs: Infinity })).toEqual({ kind: 'ack' })
  expect(await tasks.get(task.id)).toMatchObject({
    callback: { status: 'failed', attempts: maxAttempts },
    nextCheckAt: null,
  })
  await cloud.close()
})
