/**
 * I5: the delivery after the last allowed one makes the task `failed`, however the container or the runtime died.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | claim does not count deliveries | all |
 * | no bound on interruptions | each delivery takes the whole runtime along |
 * | no delivery after the last allowed one | all but the whole runtime |
 * | the death of a container is no attempt (502 not counted) | all but the whole runtime |
 * | the delivery after the last one tries again | all but the whole runtime |
 */
import { beforeAll, expect, it } from 'vitest'
import { INTERRUPTIONS_MAX } from '#shared/limits.ts'
import { QUEUES } from '#shared/message.ts'
import { picture } from '../../pictures.ts'
import { until } from '../../runtime/until.ts'
import type { CrashPoint, Effect } from '../crash.ts'
import { API, BOUND_MS, DELIVERY_MS, openScene, QUICK, IN_PARALLEL } from './scene.ts'
import { overStacks } from './stacks.ts'

/** Long enough for a container to start on a busy machine, short enough to wait for one that spins. */
const TIMEOUT_MS = 5_000
const FAILED = { status: 'failed', error: { code: 'processing-failed' }, variants: [] }

/** A picture at which the decoder dies: the file is given out, and nothing comes back. */
const AT_DECODE = { at: 'blobs.asFile', when: 'after', nth: 1 } as const

overStacks('I5 over $name: a picture that kills its containers ends as failed', IN_PARALLEL, (stack) => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await picture({ width: 320, height: 240 })
  })

  it('each death counts, whatever it was', async () => {
    await using scene = await openScene(stack)
    const effects: Effect[] = ['kill', 'segfault', 'abort', 'exit', 'spin']
    const marks = effects.map(() => scene.mark())
    const points: CrashPoint[] = effects.map((effect, at) => ({ ...AT_DECODE, effect, mark: marks[at]!.mark }))
    const functions = { 'process-image': { config: { timeoutMs: TIMEOUT_MS, trigger: QUICK }, points } }
    const victim = await scene.start({ env: { MAX_RETRIES: String(effects.length - 1) }, functions })
    const id = await scene.upload(victim, { bytes })
    // A sixth delivery would render it: the points are used up.
    expect(await scene.terminal(id)).toMatchObject({
      ...FAILED,
      deliveries: effects.length + 1,
      attempts: effects.length,
    })
    expect(marks.every((mark) => mark.isReached())).toBe(true)
  })

  it('and the runtime serves on: another picture is made meanwhile', async () => {
    await using scene = await openScene(stack)
    const mark = scene.mark()
    const points: CrashPoint[] = [{ ...AT_DECODE, mark: mark.mark, each: true }]
    const killing = { 'process-image': { config: { trigger: QUICK }, points } }
    const victim = await scene.start({ env: { MAX_RETRIES: '1' }, functions: killing })
    const poison = await scene.upload(victim, { bytes })
    expect(await scene.terminal(poison)).toMatchObject({ ...FAILED, deliveries: 3, attempts: 2 })
    await until('its message is done', async () => (await stack.messages(scene.folder)).length === 0, BOUND_MS)
    expect(victim.isAlive()).toBe(true)
    await victim.stop()
    const healthy = await scene.start()
    expect(await scene.terminal(await scene.upload(healthy, { bytes }))).toMatchObject({ status: 'completed' })
  })

  it('also when the delivery that should settle it dies too, and the sweeper sends it again', async () => {
    await using scene = await openScene(stack)
    const mark = scene.mark()
    const points: CrashPoint[] = [
      { ...AT_DECODE, each: true },
      { at: 'tasks.settle', when: 'before', nth: 1, mark: mark.mark },
    ]
    const functions = { 'process-image': { config: { trigger: QUICK }, points } }
    const victim = await scene.start({ env: { MAX_RETRIES: '0' }, functions })
    const id = await scene.upload(victim, { bytes })
    await mark.reached()
    const { images } = QUEUES
    await until(
      'the message is dead',
      async () => (await scene.stores.queue.deadLetters(images, 1)).length === 1,
      BOUND_MS,
    )
    expect(await scene.task(id)).toMatchObject({ status: 'processing', deliveries: 2 })
    await victim.sweep(DELIVERY_MS)
    expect(await scene.terminal(id)).toMatchObject({ ...FAILED, deliveries: 4 })
  })

  it('also when each delivery takes the whole runtime along', async () => {
    await using scene = await openScene(stack)
    const crash: CrashPoint = { at: 'tasks.claim', when: 'after', nth: 1 }
    const options = { env: { MAX_RETRIES: '0', FUNCTIONS: 'process-image' }, leaseMs: 300 }
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes })
    for (let deliveries = 1; deliveries <= 1 + INTERRUPTIONS_MAX; deliveries++) {
      await scene.dies({ ...options, crash })
      expect(await scene.task(id)).toMatchObject({ status: 'processing', deliveries })
    }
    await scene.start(options)
    expect(await scene.terminal(id)).toMatchObject({ ...FAILED, deliveries: 2 + INTERRUPTIONS_MAX })
  })
})
