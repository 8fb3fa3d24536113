/**
 * I10: every callback of a terminal task is delivered, or shown as given up.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | settle hands over no message | all |
 * | settle sets no `nextCheckAt` for the callback | both that lose the queue; the time is over |
 * | recorded as delivered before it is sent | all |
 * | a failed try is acked | no try got through |
 * | the number of tries is not bounded | no try got through |
 * | the time is not bounded | the time is over |
 */
import { beforeAll, expect, it } from 'vitest'
import { CALLBACK_GIVE_UP_MS, CALLBACK_TRY_MS, CHECK_MARGIN_MS } from '#shared/limits.ts'
import type { Callback } from '#shared/task.ts'
import notify from '../../../functions/notify/config.ts'
import { picture, truncated } from '../../pictures.ts'
import { until } from '../../runtime/until.ts'
import type { CrashPoint } from '../crash.ts'
import type { Victim, VictimOptions } from '../victims.ts'
import { CALLBACKS, openReceiver, type Receiver } from './receiver.ts'
import { API, BOUND_MS, openScene, QUICK, type Scene, SWEEP_MS, WORKER, IN_PARALLEL } from './scene.ts'
import { overStacks } from './stacks.ts'

const FRONT = { env: { ...API, ...CALLBACKS } }
const BACK: Omit<VictimOptions, 'folder'> = {
  env: { ...WORKER, ...CALLBACKS, CONCURRENCY: '1' },
  functions: { notify: { config: { trigger: QUICK } } },
}
/** How long a document waits to hear of its callback. */
const CALL_MS = CALLBACK_TRY_MS + CHECK_MARGIN_MS

async function callbackOf(scene: Scene, id: string): Promise<Callback> {
  return (await scene.task(id))!.callback!
}

async function ended(scene: Scene, id: string): Promise<Callback> {
  const isOver = async (): Promise<Callback | null> => {
    const callback = await callbackOf(scene, id)
    return callback.status === 'pending' ? null : callback
  }
  return await until(`the callback of ${id} is over`, isOver, BOUND_MS)
}

overStacks('I10 over $name: every callback is delivered or given up', IN_PARALLEL, (stack) => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await picture({ width: 320, height: 240 })
  })

  const told = (scene: Scene, victim: Victim, { url: callbackUrl }: Receiver, image = bytes): Promise<string> =>
    scene.upload(victim, { bytes: image, fields: { callbackUrl } })

  it('wherever the worker is killed', async () => {
    await using scene = await openScene(stack)
    await using receiver = await openReceiver()
    const api = await scene.start(FRONT)
    const deaths: CrashPoint[] = [
      { at: 'tasks.settle', when: 'after', nth: 1 },
      { at: 'fetch.request', when: 'before', nth: 1 },
      { at: 'fetch.request', when: 'after', nth: 1 },
      { at: 'tasks.recordCallback', when: 'before', nth: 1 },
      { at: 'tasks.recordCallback', when: 'after', nth: 1 },
      { at: 'queue.ack', when: 'after', nth: 2 },
    ]
    const ids: string[] = []
    for (const [at, crash] of deaths.entries()) {
      ids.push(await told(scene, api, receiver, at % 2 === 0 ? bytes : truncated(bytes)))
      await scene.dies({ ...BACK, crash })
    }
    await scene.start(BACK)
    for (const id of ids) {
      expect(await ended(scene, id)).toMatchObject({ status: 'delivered', lastStatus: 204 })
      const { status } = (await scene.task(id))!
      const calls = receiver.calls.filter(({ subject }) => subject === id)
      // The client knows a repetition by its id.
      expect(new Set(calls.map(({ webhookId, type }) => `${webhookId} ${type}`))).toEqual(
        new Set([`${id}-settled task.${status}`]),
      )
    }
    // Killed between its arrival and its record, one must have come twice.
    expect(receiver.calls.length).toBeGreaterThan(ids.length)
  })

  it.each([
    ['between the end and the sending', { at: 'tasks.settle', when: 'after', nth: 1 }, 1],
    ['between the sending and its record', { at: 'fetch.request', when: 'after', nth: 1 }, 2],
  ] as const)('although worker and message are lost %s', async (_stage, crash, calls) => {
    await using scene = await openScene(stack)
    await using receiver = await openReceiver()
    const api = await scene.start(FRONT)
    const id = await told(scene, api, receiver)
    await scene.dies({ ...BACK, crash })
    await stack.loseQueue(scene.folder)
    expect(await callbackOf(scene, id)).toMatchObject({ status: 'pending', attempts: 0 })
    const worker = await scene.start(BACK)
    await worker.sweep(CALL_MS + SWEEP_MS)
    expect(await ended(scene, id)).toMatchObject({ status: 'delivered', attempts: 1 })
    expect(receiver.calls.map(({ webhookId }) => webhookId)).toEqual(Array(calls).fill(`${id}-settled`))
  })

  it.each([503, 'down'] as const)('when the receiver is %s for a while, also over a restart', async (answer) => {
    await using scene = await openScene(stack)
    await using receiver = await openReceiver()
    receiver.answer = answer
    const first = await scene.start({ ...BACK, env: CALLBACKS })
    const id = await told(scene, first, receiver)
    await until('it was tried twice', async () => (await callbackOf(scene, id)).attempts >= 2, BOUND_MS)
    first.kill()
    await first.exited
    const tried = await callbackOf(scene, id)
    expect(tried).toMatchObject({ status: 'pending', lastStatus: answer === 'down' ? null : answer })
    receiver.answer = 204
    await scene.start({ ...BACK, env: CALLBACKS })
    expect(await ended(scene, id)).toEqual({
      ...tried,
      status: 'delivered',
      attempts: tried.attempts + 1,
      lastStatus: 204,
    })
  })

  it('given up, and shown so, when no try got through', async () => {
    await using scene = await openScene(stack)
    await using receiver = await openReceiver()
    receiver.answer = 500
    const victim = await scene.start({ ...BACK, env: CALLBACKS })
    const id = await told(scene, victim, receiver)
    const { maxAttempts } = notify.trigger
    expect(await ended(scene, id)).toMatchObject({ status: 'failed', attempts: maxAttempts, lastStatus: 500 })
    expect(receiver.calls).toHaveLength(maxAttempts)
    expect(await (await scene.request(`${victim.url}/tasks/${id}`)).json()).toMatchObject({
      status: 'completed',
      callback: { status: 'failed', attempts: maxAttempts, lastStatus: 500 },
    })
    expect((await scene.task(id))!.nextCheckAt).toBeNull()
  })

  it('given up when the time is over, although the workers were away all the while', async () => {
    await using scene = await openScene(stack)
    await using receiver = await openReceiver()
    receiver.answer = 'down'
    const first = await scene.start({ ...BACK, env: CALLBACKS, crash: { at: 'fetch.request', when: 'before', nth: 1 } })
    const id = await told(scene, first, receiver)
    await first.exited
    await stack.loseQueue(scene.folder)
    const late = await scene.start({ ...BACK, clockMs: CALLBACK_GIVE_UP_MS + SWEEP_MS })
    await late.sweep()
    expect(await ended(scene, id)).toMatchObject({ status: 'failed', attempts: 1, lastStatus: null })
  })
})
