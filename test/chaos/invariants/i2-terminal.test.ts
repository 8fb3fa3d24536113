/**
 * I2: a terminal status never changes, whoever comes late.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | settle looks at the fence alone | whatever another process writes, both |
 * | settle looks at the status alone | the older of two |
 * | settle looks at neither | all |
 * | claim opens a terminal task again | whatever another process writes, both |
 */
import { isDeepStrictEqual } from 'node:util'
import { beforeAll, expect, it } from 'vitest'
import type { Settlement } from '#shared/bindings.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { picture } from '../../pictures.ts'
import type { CrashPoint } from '../crash.ts'
import { API, type Mark, observe, openScene, type Scene, WORKER, IN_PARALLEL } from './scene.ts'
import { overStacks } from './stacks.ts'

/** A worker for which every picture is too large: its result is another one. */
const REFUSING = { ...WORKER, INPUT_PIXELS_MAX: '10' }

function holding(mark: Mark, when: CrashPoint['when']): CrashPoint {
  return { at: 'tasks.settle', when, nth: 1, effect: 'hold', mark: mark.mark }
}

/** Fails once a terminal task is seen in another state. */
function watchStatus(scene: Scene, id: string) {
  let ended: Task | null = null
  return observe(async () => {
    const task = await scene.task(id)
    ended ??= task && isTerminal(task) ? task : null
    return ended === null || isDeepStrictEqual(task, ended) ? [] : [`${ended.status} became ${task?.status}`]
  })
}

const otherResult = ({ status, source }: Task): Settlement =>
  status === 'completed'
    ? { status: 'failed', error: { code: 'processing-failed', message: 'late' } }
    : { status: 'completed', variants: [], source, placeholder: null, color: null, warnings: [] }

overStacks('I2 over $name: a terminal status never changes', IN_PARALLEL, (stack) => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await picture({ width: 320, height: 240 })
  })

  it('when a worker that was stopped for longer than its lease settles after the newer one', async () => {
    await using scene = await openScene(stack)
    const [held, late] = [scene.mark(), scene.mark()]
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes })
    const old = await scene.start({ env: WORKER, crash: [holding(held, 'before'), holding(late, 'after')] })
    await held.reached()
    old.signal('SIGSTOP')
    await scene.start({ env: REFUSING })
    const ended = await scene.terminal(id)
    expect(ended).toMatchObject({ status: 'failed', error: { code: 'image-too-many-pixels' }, deliveries: 2 })
    const watch = watchStatus(scene, id)
    old.signal('SIGCONT')
    held.release()
    await late.reached()
    await watch.stop()
    expect(await scene.task(id)).toEqual(ended)
  })

  it('and the older of two that work at once does not end the task for the newer', async () => {
    await using scene = await openScene(stack)
    const [held, late, newerHeld] = [scene.mark(), scene.mark(), scene.mark()]
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes })
    const old = await scene.start({ env: WORKER, crash: [holding(held, 'before'), holding(late, 'after')] })
    await held.reached()
    old.signal('SIGSTOP')
    await scene.start({ env: REFUSING, crash: holding(newerHeld, 'before') })
    await newerHeld.reached()
    const watch = watchStatus(scene, id)
    old.signal('SIGCONT')
    held.release()
    await late.reached()
    expect(await scene.task(id)).toMatchObject({ status: 'processing', deliveries: 2 })
    late.release()
    newerHeld.release()
    expect(await scene.terminal(id)).toMatchObject({ status: 'failed', error: { code: 'image-too-many-pixels' } })
    await watch.stop()
  })

  it.each([
    ['completed', WORKER],
    ['failed', REFUSING],
  ] as const)('whatever another process writes on a %s task, under any fence', async (status, env) => {
    await using scene = await openScene(stack)
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes })
    await scene.start({ env })
    const ended = await scene.terminal(id)
    expect(ended.status).toBe(status)
    const { tasks } = scene.stores
    for (let fence = 0; fence <= ended.deliveries + 1; fence++) {
      expect(await tasks.settle(id, fence, otherResult(ended))).toBe(false)
      expect(await tasks.advance(id, fence, { progress: 0.5, nextCheckAt: 1 })).toBe(false)
    }
    expect(await tasks.claim(id, { attempt: 9, nextCheckAt: 1 })).toEqual({ task: ended, fence: 0 })
    expect(await scene.task(id)).toEqual(ended)
  })
})
