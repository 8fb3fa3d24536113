/**
 * I1: every task that was answered 202 becomes terminal once the faults end, within lease + 2 sweeps.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | sweep-tasks sends nothing again | every test that loses a message; by the timer |
 * | create-task sets no `nextCheckAt` | lost before anyone took it; the sweeper is killed; by the timer |
 * | claim leaves a task alone for timeout and margin | worker and message lost, both stages |
 * | claim sets no `nextCheckAt` | worker and message lost, both stages |
 * | a swept task is put off by a minute, not by half of one | what was sent again is lost as well |
 * | the timers are not started | by the timer |
 * | a message under a lease that is over is not taken again | wherever its worker is killed |
 * | tasks.create resolves before the commit | from the moment that it is written |
 * | tasks.create writes no message | from the moment that it is written |
 */
import { beforeAll, expect, it } from 'vitest'
import { DAY_MS, INTERRUPTIONS_MAX } from '#shared/limits.ts'
import type { Task } from '#shared/task.ts'
import { picture } from '../../pictures.ts'
import type { CrashPoint } from '../crash.ts'
import { VICTIM_LEASE_MS } from '../victims.ts'
import { ACCEPTED_MS, API, openScene, type Scene, SWEEP_MS, SWEEPER, WORKER, IN_PARALLEL } from './scene.ts'
import { overStacks } from './stacks.ts'

const DEATHS: readonly Omit<CrashPoint, 'nth'>[] = [
  { at: 'tasks.claim', when: 'before' },
  { at: 'tasks.claim', when: 'after' },
  { at: 'tasks.advance', when: 'after' },
  { at: 'tasks.settle', when: 'before' },
  { at: 'tasks.settle', when: 'after' },
  { at: 'queue.ack', when: 'before' },
]

/** The faults are over: a worker starts, its clock ahead, and sweeps as often as the bound lets it. */
async function inTime(scene: Scene, id: string, clockMs = 0): Promise<Task> {
  // By nothing but these sweeps: its own timer would go on while the test waits.
  const functions = { 'sweep-tasks': { config: { trigger: { everyMs: DAY_MS } } } }
  const worker = await scene.start({ env: WORKER, functions, clockMs })
  for (let passedMs = 0; passedMs < ACCEPTED_MS; passedMs += SWEEP_MS) await worker.sweep(SWEEP_MS)
  return await scene.terminal(id)
}

overStacks('I1 over $name: what was accepted becomes terminal', IN_PARALLEL, (stack) => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await picture({ width: 320, height: 240 })
  })

  it('wherever its worker is killed, by the lease alone', async () => {
    await using scene = await openScene(stack)
    const api = await scene.start({ env: API })
    const ids: string[] = []
    for (const death of DEATHS) {
      ids.push(await scene.upload(api, { bytes }))
      await scene.dies({ env: WORKER, crash: { ...death, nth: 1 } })
    }
    expect(DEATHS.length).toBeLessThan(INTERRUPTIONS_MAX)
    await scene.start({ env: WORKER })
    for (const id of ids) {
      expect(await scene.terminal(id, VICTIM_LEASE_MS + 2 * SWEEP_MS)).toMatchObject({ status: 'completed' })
    }
  })

  it('from the moment that it is written, be the server killed before it can answer', async () => {
    await using scene = await openScene(stack)
    const api = await scene.start({ env: API, crash: { at: 'tasks.create', when: 'after', nth: 1 } })
    await expect(scene.upload(api, { bytes })).rejects.toThrow('fetch failed')
    await api.exited
    const [task] = await scene.stores.tasks.list({ limit: 1 })
    expect(task).toMatchObject({ status: 'pending' })
    expect(await stack.forgotten(scene.folder)).toEqual([])
    await scene.start({ env: WORKER })
    expect(await scene.terminal(task!.id)).toMatchObject({ status: 'completed' })
  })

  it('although its message is lost before anyone took it', async () => {
    await using scene = await openScene(stack)
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes })
    await stack.loseMessage(scene.folder, `${id}.created`)
    expect(await inTime(scene, id)).toMatchObject({ status: 'completed' })
  })

  it.each([
    ['while it is worked on', { at: 'tasks.advance', when: 'after' }],
    ['when all is made but not written down', { at: 'tasks.settle', when: 'before' }],
  ] as const)('although its worker and its message are lost %s', async (_stage, death) => {
    await using scene = await openScene(stack)
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes })
    await scene.dies({ env: WORKER, crash: { ...death, nth: 1 } })
    await stack.loseMessage(scene.folder, `${id}.created`)
    expect(await inTime(scene, id)).toMatchObject({ status: 'completed' })
  })

  it.each(['before', 'after'] as const)('although the sweeper is killed %s it sends again', async (when) => {
    await using scene = await openScene(stack)
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes })
    await stack.loseMessage(scene.folder, `${id}.created`)
    const killed = await scene.start({ env: SWEEPER, crash: { at: 'queue.send', when, nth: 1 } })
    await expect(killed.sweep(2 * SWEEP_MS)).rejects.toThrow('it died at the sweep')
    expect(await inTime(scene, id, 2 * SWEEP_MS)).toMatchObject({ status: 'completed' })
  })

  it('although what was sent again is lost as well', async () => {
    await using scene = await openScene(stack)
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes })
    const sweeper = await scene.start({ env: SWEEPER })
    for (let sweeps = 0; sweeps < 2; sweeps++) {
      await stack.loseMessage(scene.folder, `${id}.created`)
      await sweeper.sweep(ACCEPTED_MS)
      expect(await stack.messages(scene.folder)).toEqual([`${id}.created`])
    }
    await stack.loseMessage(scene.folder, `${id}.created`)
    expect(await inTime(scene, id, 2 * ACCEPTED_MS)).toMatchObject({ status: 'completed' })
  })

  it('by the timer, with nobody asking for a sweep', async () => {
    await using scene = await openScene(stack)
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes })
    await stack.loseMessage(scene.folder, `${id}.created`)
    const functions = { 'sweep-tasks': { config: { trigger: { everyMs: 500 } } } }
    await scene.start({ env: WORKER, functions, clockMs: 2 * SWEEP_MS })
    expect(await scene.terminal(id)).toMatchObject({ status: 'completed' })
  })
})
