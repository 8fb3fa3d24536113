/**
 * I1: every task that was answered 202 becomes terminal once the faults end, within lease + 2 sweeps.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | sweep-tasks sends nothing again | every test that loses a message; by the timer |
 * | create-task sets no `nextCheckAt` | lost before anyone took it; the sweeper is killed; by the timer |
 * | claim sets no `nextCheckAt` | worker and message lost, both stages |
 * | a swept task is put off by hours, not by a minute | the sweeper is killed before it sends again |
 * | the timers are not started | by the timer |
 * | a message under a lease that is over is not taken again | wherever its worker is killed |
 * | tasks.create resolves before the commit | from the moment that it is written |
 * | tasks.create writes no message | from the moment that it is written |
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { INTERRUPTIONS_MAX } from '#shared/limits.ts'
import { RESEND_AGAIN_MS } from '../../../functions/sweep-tasks/limits.ts'
import { picture } from '../../pictures.ts'
import type { CrashPoint } from '../crash.ts'
import { VICTIM_LEASE_MS } from '../victims.ts'
import { API, DELIVERY_MS, openScene, SWEEP_MS, WORKER, IN_PARALLEL } from './scene.ts'
import { STACKS } from './stacks.ts'

const DEATHS: readonly Omit<CrashPoint, 'nth'>[] = [
  { at: 'tasks.claim', when: 'before' },
  { at: 'tasks.claim', when: 'after' },
  { at: 'tasks.advance', when: 'after' },
  { at: 'tasks.settle', when: 'before' },
  { at: 'tasks.settle', when: 'after' },
  { at: 'queue.ack', when: 'before' },
]

describe.each(STACKS)('I1 over $name: what was accepted becomes terminal', IN_PARALLEL, (stack) => {
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
    const worker = await scene.start({ env: WORKER })
    await worker.sweep(SWEEP_MS)
    await worker.sweep(SWEEP_MS)
    expect(await scene.terminal(id)).toMatchObject({ status: 'completed' })
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
    const worker = await scene.start({ env: WORKER })
    await worker.sweep(DELIVERY_MS + SWEEP_MS)
    await worker.sweep(SWEEP_MS)
    expect(await scene.terminal(id)).toMatchObject({ status: 'completed' })
  })

  it('although the sweeper is killed before it sends again', async () => {
    await using scene = await openScene(stack)
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes })
    await stack.loseMessage(scene.folder, `${id}.created`)
    const killed = await scene.start({ env: WORKER, crash: { at: 'queue.send', when: 'before', nth: 1 } })
    await expect(killed.sweep(2 * SWEEP_MS)).rejects.toThrow('it died at the sweep')
    const worker = await scene.start({ env: WORKER, clockMs: 2 * SWEEP_MS })
    expect(RESEND_AGAIN_MS).toBeLessThanOrEqual(DELIVERY_MS)
    await worker.sweep(RESEND_AGAIN_MS + SWEEP_MS)
    await worker.sweep(SWEEP_MS)
    expect(await scene.terminal(id)).toMatchObject({ status: 'completed' })
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
