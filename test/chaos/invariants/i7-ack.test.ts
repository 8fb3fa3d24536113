/**
 * I7: a message is acked only after the terminal write is durable: at any instant a task is terminal or in the queue.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | the message is acked when it is taken | all |
 * | process-image answers without waiting for settle | all |
 */
import { beforeAll, expect, it } from 'vitest'
import { picture } from '../../pictures.ts'
import { until } from '../../runtime/until.ts'
import type { CrashPoint } from '../crash.ts'
import { API, BOUND_MS, observe, openScene, type Scene, WORKER, IN_PARALLEL } from './scene.ts'
import { overStacks } from './stacks.ts'

const PICTURES = 4
/** Looks while a write is held up: in such a time a hasty ack would have come long ago. */
const LOOKS = 100

function watchQueue({ stack, folder }: Scene) {
  return observe(async () => {
    const ids = await stack.forgotten(folder)
    return ids.map((id) => `${id} is neither terminal nor in the queue`)
  })
}

overStacks('I7 over $name: ack only after the terminal write', IN_PARALLEL, (stack) => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await picture({ width: 320, height: 240 })
  })

  it.each([
    { at: 'tasks.settle', when: 'before', nth: 2 },
    { at: 'tasks.settle', when: 'after', nth: 2 },
    { at: 'queue.ack', when: 'before', nth: 2 },
    { at: 'queue.ack', when: 'after', nth: 2 },
  ] satisfies CrashPoint[])('killed $when $at, every task is terminal or has its message', async (crash) => {
    await using scene = await openScene(stack)
    const watch = watchQueue(scene)
    const api = await scene.start({ env: API })
    const ids: string[] = []
    for (let i = 0; i < PICTURES; i++) ids.push(await scene.upload(api, { bytes }))
    await scene.dies({ env: WORKER, crash })
    expect(await stack.forgotten(scene.folder)).toEqual([])
    await scene.start({ env: WORKER })
    for (const id of ids) expect(await scene.terminal(id)).toMatchObject({ status: 'completed' })
    await until('the queue is empty', async () => (await stack.messages(scene.folder)).length === 0, BOUND_MS)
    await watch.stop()
  })

  it('held up for as long as one likes, the write keeps the message where it is', async () => {
    await using scene = await openScene(stack)
    const held = scene.mark()
    const crash: CrashPoint = { at: 'tasks.settle', when: 'before', nth: 1, effect: 'hold', mark: held.mark }
    const victim = await scene.start({ crash })
    const watch = watchQueue(scene)
    const id = await scene.upload(victim, { bytes })
    await held.reached()
    const looks = watch.looks()
    await until('it was looked at', () => watch.looks() > looks + LOOKS, BOUND_MS)
    expect(await stack.messages(scene.folder)).toEqual([`${id}.created`])
    victim.kill()
    await victim.exited
    expect(await stack.messages(scene.folder)).toEqual([`${id}.created`])
    await scene.start()
    expect(await scene.terminal(id)).toMatchObject({ status: 'completed', deliveries: 2 })
    await watch.stop()
  })
})
