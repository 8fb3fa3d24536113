/**
 * I3: `completed` implies that every variant exists and that its hash is the recorded one; so it is for derived files.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | settled while a put is still under way | wherever its containers die; an earlier try left other bytes |
 * | put vouches for its own bytes where others were first | an earlier try left other bytes |
 * | a derived file is recorded before its put | what is derived |
 * | tasks.settle resolves before the commit | whether the runtime is killed before or after |
 */
import { beforeAll, expect, it } from 'vitest'
import type { Task } from '#shared/task.ts'
import { picture } from '../../pictures.ts'
import { until } from '../../runtime/until.ts'
import type { CrashPoint } from '../crash.ts'
import type { Victim } from '../victims.ts'
import { BOUND_MS, bytesOf, observe, openScene, QUICK, type Scene, sha256, torn, IN_PARALLEL } from './scene.ts'
import { overStacks } from './stacks.ts'

const ENV = { CONCURRENCY: '1', MAX_RETRIES: '20' }

/** Container after container dies, each at the next of these points. */
function oneAfterAnother(scene: Scene, points: readonly Omit<CrashPoint, 'mark'>[]) {
  const marks = points.map(() => scene.mark())
  const marked = points.map((point, index) => ({ ...point, mark: marks[index]!.mark }))
  return {
    functions: { 'process-image': { config: { trigger: QUICK }, points: marked } },
    notReached: () => points.filter((_point, index) => !marks[index]!.isReached()),
  }
}

/** Fails once the document promises a file that is not there as it was recorded. */
function watchFiles(scene: Scene, id: string) {
  return observe(async () => {
    const task = await scene.task(id)
    return task?.status === 'completed' ? await torn(scene.stores, task) : []
  })
}

async function expectServed(scene: Scene, { url }: Victim, { id, variants }: Task): Promise<void> {
  for (const { name, sha256: hash } of variants) {
    const ask = async (): Promise<Response> => await scene.request(`${url}/tasks/${id}/variants/${name}`)
    let response = await ask()
    // A store that is slow to be reached says so.
    while (response.status === 503) response = await ask()
    expect([response.status, sha256(new Uint8Array(await response.arrayBuffer()))]).toEqual([200, hash])
  }
}

overStacks('I3 over $name: completed means that all is there', IN_PARALLEL, (stack) => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await picture({ width: 320, height: 240 })
  })

  it('wherever its containers die', async () => {
    await using scene = await openScene(stack)
    const deaths = oneAfterAnother(scene, [
      { at: 'blobs.asFile', when: 'after', nth: 1 },
      { at: 'blobs.put', when: 'before', nth: 1 },
      { at: 'blobs.put', when: 'during', nth: 1 },
      { at: 'blobs.put', when: 'after', nth: 1 },
      { at: 'blobs.put', when: 'before', nth: 2 },
      { at: 'blobs.put', when: 'during', nth: 2 },
      { at: 'blobs.put', when: 'after', nth: 2 },
      { at: 'tasks.settle', when: 'before', nth: 1 },
    ])
    const victim = await scene.start({ env: ENV, functions: deaths.functions })
    const id = await scene.upload(victim, { bytes })
    const watch = watchFiles(scene, id)
    const task = await scene.terminal(id)
    await watch.stop()
    expect(deaths.notReached()).toEqual([])
    expect(task).toMatchObject({ status: 'completed', attempts: 9, deliveries: 9 })
    expect(await torn(scene.stores, task)).toEqual([])
    await expectServed(scene, victim, task)
  })

  it('whether the runtime is killed before or after it writes so', async () => {
    await using scene = await openScene(stack)
    const killed = await scene.start({ crash: { at: 'tasks.settle', when: 'before', nth: 1 } })
    const id = await scene.upload(killed, { bytes })
    await killed.exited
    expect(await scene.task(id)).toMatchObject({ status: 'processing' })
    await scene.dies({ crash: { at: 'tasks.settle', when: 'after', nth: 1 } })
    const task = (await scene.task(id))!
    expect(task.status).toBe('completed')
    expect(await torn(scene.stores, task)).toEqual([])
    await expectServed(scene, await scene.start(), task)
  })

  it('when an earlier try left other bytes, as another version of the encoder makes them', async () => {
    await using scene = await openScene(stack)
    const left = oneAfterAnother(scene, [
      { at: 'blobs.put', when: 'before', nth: 1, effect: 'alter' },
      { at: 'blobs.put', when: 'after', nth: 1 },
    ])
    const victim = await scene.start({ env: ENV, functions: left.functions })
    const task = await scene.terminal(await scene.upload(victim, { bytes }))
    expect(left.notReached()).toEqual([])
    expect(task).toMatchObject({ status: 'completed', deliveries: 2 })
    const lastBytes = task.variants.map(async ({ key }) => (await bytesOf(scene.stores.blobs, key))!.at(-1))
    // The end of the larger one, which was altered, and that of a JPEG.
    expect(await Promise.all(lastBytes)).toEqual([0x00, 0xd9])
    expect(await torn(scene.stores, task)).toEqual([])
    await expectServed(scene, victim, task)
  })

  it('and so it is for what is derived, wherever its containers die', async () => {
    await using scene = await openScene(stack)
    const deaths = oneAfterAnother(scene, [
      { at: 'blobs.asFile', when: 'after', nth: 1 },
      { at: 'blobs.put', when: 'during', nth: 1 },
      { at: 'blobs.put', when: 'before', nth: 1, effect: 'alter' },
      { at: 'blobs.put', when: 'after', nth: 1 },
      { at: 'tasks.recordDerived', when: 'before', nth: 1 },
      { at: 'tasks.recordDerived', when: 'after', nth: 1 },
    ])
    const whole = await scene.start()
    const id = await scene.upload(whole, { bytes })
    await scene.terminal(id)
    await whole.stop()
    const victim = await scene.start({ env: ENV, functions: deaths.functions })
    const watch = watchFiles(scene, id)
    const response = await until(
      'the WebP is there',
      async () => {
        watch.check()
        const answer = await scene.request(`${victim.url}/tasks/${id}/variants/160x160?format=webp`)
        if (answer.ok) return answer
        await answer.body?.cancel()
        return null
      },
      BOUND_MS,
    )
    await until('all died', () => deaths.notReached().length === 0, BOUND_MS)
    const derived = Buffer.from(await response.arrayBuffer())
    await watch.stop()
    const task = (await scene.task(id))!
    expect(task.variants.find(({ name }) => name === '160x160')?.derived.webp?.sha256).toBe(sha256(derived))
    expect(derived.at(-1)).toBe(0)
    expect(await torn(scene.stores, task)).toEqual([])
  })
})
