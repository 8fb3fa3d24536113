/**
 * I8: losing the whole queue loses no task, whatever state it is in, and no callback.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | sweep-tasks sends nothing again | in any state |
 * | claim sets no `nextCheckAt` | in any state |
 * | settle sets no `nextCheckAt` for the callback | in any state |
 * | settle sets no `nextCheckAt` for a discard | an original that was to be discarded |
 * | settle asks for the message of the task | under the hands of a worker |
 */
import { beforeAll, expect, it } from 'vitest'
import { picture } from '../../pictures.ts'
import { until } from '../../runtime/until.ts'
import type { CrashPoint } from '../crash.ts'
import { CALLBACKS, openReceiver } from './receiver.ts'
import { API, BOUND_MS, bytesOf, DELIVERY_MS, openScene, SWEEP_MS, torn, WORKER, IN_PARALLEL } from './scene.ts'
import { overStacks } from './stacks.ts'

overStacks('I8 over $name: losing the queue loses no task', IN_PARALLEL, (stack) => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await picture({ width: 320, height: 240 })
  })

  it('in any state, while no worker runs', async () => {
    await using scene = await openScene(stack)
    await using receiver = await openReceiver()
    const api = await scene.start({ env: { ...API, ...CALLBACKS } })
    const accept = (): Promise<string> => scene.upload(api, { bytes, fields: { callbackUrl: receiver.url } })
    const ids: string[] = []
    const worker = { env: { ...WORKER, ...CALLBACKS, CONCURRENCY: '1' } }
    // The last first: a worker takes what is there, and each is to stay in the state in which it died.
    const deaths: CrashPoint[] = [
      { at: 'fetch.request', when: 'before', nth: 1 },
      { at: 'tasks.settle', when: 'after', nth: 1 },
      { at: 'tasks.settle', when: 'before', nth: 1 },
      { at: 'tasks.claim', when: 'after', nth: 1 },
    ]
    for (const crash of deaths) {
      ids.push(await accept())
      await scene.dies({ ...worker, crash })
      await stack.loseQueue(scene.folder)
    }
    ids.push(await accept(), await accept())
    await stack.loseQueue(scene.folder)
    const states = await Promise.all(ids.map(async (id) => (await scene.task(id))!.status))
    expect(states).toEqual(['completed', 'completed', 'processing', 'processing', 'pending', 'pending'])

    const last = await scene.start(worker)
    await last.sweep(DELIVERY_MS + SWEEP_MS)
    await last.sweep(SWEEP_MS)
    for (const id of ids) {
      const task = await scene.terminal(id)
      expect(task.status).toBe('completed')
      expect(await torn(scene.stores, task)).toEqual([])
      const isTold = async (): Promise<boolean> => (await scene.task(id))!.callback!.status === 'delivered'
      await until(`${id} is told`, isTold, BOUND_MS)
    }
    expect(receiver.calls.map(({ subject }) => subject).sort()).toEqual(ids.toSorted())
  })

  it('nor an original that was to be discarded, and is not yet', async () => {
    await using scene = await openScene(stack)
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes, fields: { original: 'discard' } })
    await scene.dies({ env: WORKER, crash: { at: 'tasks.settle', when: 'after', nth: 1 } })
    await stack.loseQueue(scene.folder)
    const { status, source } = (await scene.task(id))!
    expect({ status, isThere: (await bytesOf(scene.stores.blobs, source.key!)) !== null }).toEqual({
      status: 'completed',
      isThere: true,
    })
    const worker = await scene.start({ env: WORKER })
    await worker.sweep(DELIVERY_MS + SWEEP_MS)
    const isDone = async (): Promise<boolean> => (await scene.task(id))!.nextCheckAt === null
    await until('nothing is left to do', isDone, BOUND_MS)
    expect((await scene.task(id))!.source.key).toBeNull()
    expect(await bytesOf(scene.stores.blobs, source.key!)).toBeNull()
  })

  it('under the hands of a worker, which ends what it has', async () => {
    await using scene = await openScene(stack)
    const held = scene.mark()
    const crash: CrashPoint = { at: 'tasks.settle', when: 'before', nth: 1, effect: 'hold', mark: held.mark }
    const victim = await scene.start({ crash })
    const id = await scene.upload(victim, { bytes })
    await held.reached()
    await stack.loseQueue(scene.folder)
    held.release()
    expect(await scene.terminal(id)).toMatchObject({ status: 'completed', deliveries: 1 })
    expect(await scene.terminal(await scene.upload(victim, { bytes }))).toMatchObject({ status: 'completed' })
  })
})
