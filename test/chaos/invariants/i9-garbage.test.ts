/**
 * I9: garbage collection removes orphans, and never a referenced blob.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | no grace | whoever died; an upload that is under way |
 * | the documents are not asked | whoever died |
 * | nothing is collected | whoever died; bytes were collected meanwhile |
 * | the walk does not begin again | whoever died |
 * | a living task's folder is not tidied | whoever died |
 * | create-task accepts what is older than half the grace | bytes were collected meanwhile |
 * | process-image leaves the output of a deleted task | a worker clears up |
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { GC_GRACE_MS, HOUR_MS } from '#shared/limits.ts'
import { picture, truncated } from '../../pictures.ts'
import { until } from '../../runtime/until.ts'
import { MARKER } from '../../../runtime/drivers/blobs/marker.ts'
import { OWNER } from '../../../runtime/drivers/blobs/owner.ts'
import type { CrashPoint } from '../crash.ts'
import { API, BOUND_MS, bytesOf, openScene, type Scene, sha256, torn, WORKER, IN_PARALLEL } from './scene.ts'
import { overStacks } from './stacks.ts'

async function foldersOf({ folder }: Scene): Promise<{ input: string[]; output: string[] }> {
  const list = async (root: string): Promise<string[]> =>
    (await readdir(join(folder, root)).catch((): string[] => []))
      .filter((name) => ![MARKER, OWNER].includes(name))
      .toSorted()
  return { input: await list('input'), output: await list('output') }
}

async function unfinishedOf({ folder }: Scene, id: string): Promise<string[]> {
  return (await readdir(join(folder, 'output', id))).filter((name) => name.startsWith('.tmp-'))
}

/** What the documents name and the blob store does not have as it was recorded. */
async function missing(scene: Scene): Promise<string[]> {
  const tasks = await scene.stores.tasks.list({ limit: 100 })
  const faults: string[] = []
  for (const task of tasks) {
    const { key, sha256: hash } = task.source
    const original = key && (await bytesOf(scene.stores.blobs, key))
    if (key && (!original || sha256(original) !== hash)) faults.push(`${key} is not there`)
    faults.push(...(await torn(scene.stores, task)))
  }
  return faults
}

overStacks('I9 over $name: orphans go, what is referenced stays', IN_PARALLEL, (stack) => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await picture({ width: 320, height: 240 })
  })

  it('whoever died and left them, once they are older than the grace', async () => {
    await using scene = await openScene(stack)
    // Uploads that die: before their bytes are whole, and when they are, but no document names them.
    for (const when of ['during', 'after'] as const) {
      const dying = await scene.start({ env: API, crash: { at: 'blobs.put', when, nth: 1 } })
      await expect(scene.upload(dying, { bytes })).rejects.toThrow('fetch failed')
      await dying.exited
    }
    // A put that dies within the folder of a task that lives on.
    const api = await scene.start({ env: API })
    const mark = scene.mark()
    const points: CrashPoint[] = [{ at: 'blobs.put', when: 'during', nth: 1, mark: mark.mark }]
    const worker = await scene.start({ env: WORKER, functions: { 'process-image': { points } } })
    const kept = await scene.upload(api, { bytes })
    await scene.terminal(kept)
    // Deletions that die with the files still there, of tasks that have ended and of one that is worked on.
    const [ended, failed, goneLater] = [
      await scene.upload(api, { bytes }),
      await scene.upload(api, { bytes: truncated(bytes) }),
      await scene.upload(api, { bytes: truncated(bytes) }),
    ]
    for (const id of [ended, failed, goneLater]) await scene.terminal(id)
    await worker.stop()
    const deleteAndDie = async (id: string): Promise<void> => {
      const deleting = await scene.start({ env: API, crash: { at: 'tasks.delete', when: 'after', nth: 1 } })
      await expect(scene.request(`${deleting.url}/tasks/${id}`, { method: 'DELETE' })).rejects.toThrow('fetch failed')
      await deleting.exited
    }
    const busy = await scene.upload(api, { bytes })
    await scene.dies({ env: WORKER, crash: { at: 'tasks.settle', when: 'before', nth: 1 } })
    for (const id of [ended, busy]) await deleteAndDie(id)
    const pending = await scene.upload(api, { bytes })
    const copied = await scene.request(`${api.url}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ taskId: kept, variants: ['40x40'] }),
    })
    const { id: copy } = (await copied.json()) as { id: string }
    const before = await foldersOf(scene)
    expect(before.input).toHaveLength(9)
    expect(await unfinishedOf(scene, kept)).toHaveLength(1)
    expect(await missing(scene)).toEqual([])

    // Young ones stay.
    const sweeper = await scene.start({ env: { FUNCTIONS: 'sweep-tasks' } })
    await sweeper.sweep()
    await sweeper.sweep(GC_GRACE_MS - HOUR_MS)
    expect(await foldersOf(scene)).toEqual(before)
    // Killed at it, the collector goes on where it was.
    const killed = await scene.start({
      env: { FUNCTIONS: 'sweep-tasks' },
      clockMs: GC_GRACE_MS + HOUR_MS,
      crash: { at: 'blobs.deleteTask', when: 'before', nth: 3 },
    })
    await expect(killed.sweep()).rejects.toThrow('it died at the sweep')
    await sweeper.sweep(2 * HOUR_MS)
    expect(await foldersOf(scene)).toEqual({
      input: [kept, failed, goneLater, pending, copy].toSorted(),
      output: [kept],
    })
    expect(await unfinishedOf(scene, kept)).toEqual([])
    expect(await missing(scene)).toEqual([])
    // The next walk begins at the first folder again.
    await deleteAndDie(goneLater)
    await sweeper.sweep()
    expect((await foldersOf(scene)).input).toEqual([kept, failed, pending, copy].toSorted())

    sweeper.kill()
    await scene.start({ env: WORKER })
    for (const id of [pending, copy]) expect(await scene.terminal(id)).toMatchObject({ status: 'completed' })
    expect(await missing(scene)).toEqual([])
  })

  it('an upload that is under way is young, however long its bytes are stored already', async () => {
    await using scene = await openScene(stack)
    const held = scene.mark()
    const crash: CrashPoint = { at: 'blobs.put', when: 'after', nth: 1, effect: 'hold', mark: held.mark }
    const victim = await scene.start({ crash })
    const uploading = scene.upload(victim, { bytes })
    await held.reached()
    await victim.sweep()
    held.release()
    expect(await scene.terminal(await uploading)).toMatchObject({ status: 'completed' })
    expect(await missing(scene)).toEqual([])
  })

  it('an upload whose bytes were collected meanwhile is refused: no task is made without them', async () => {
    await using scene = await openScene(stack)
    const held = scene.mark()
    const crash: CrashPoint = { at: 'blobs.put', when: 'after', nth: 1, effect: 'hold', mark: held.mark }
    const victim = await scene.start({ crash })
    const uploading = scene.upload(victim, { bytes })
    uploading.catch(() => undefined)
    await held.reached()
    await victim.sweep(GC_GRACE_MS + HOUR_MS)
    expect(await foldersOf(scene)).toEqual({ input: [], output: [] })
    held.release()
    await expect(uploading).rejects.toThrow('503 The request took too long')
    expect(await scene.stores.tasks.list({ limit: 1 })).toEqual([])
    expect(await foldersOf(scene)).toEqual({ input: [], output: [] })
  })

  it('a worker clears up after itself when its task is deleted under its hands', async () => {
    await using scene = await openScene(stack)
    const held = scene.mark()
    const points: CrashPoint[] = [{ at: 'blobs.put', when: 'before', nth: 2, effect: 'hold', mark: held.mark }]
    const victim = await scene.start({ functions: { 'process-image': { points } } })
    const id = await scene.upload(victim, { bytes })
    await held.reached()
    expect((await scene.request(`${victim.url}/tasks/${id}`, { method: 'DELETE' })).status).toBe(204)
    held.release()
    await until('its message is done', async () => (await stack.messages(scene.folder)).length === 0, BOUND_MS)
    expect(await foldersOf(scene)).toEqual({ input: [], output: [] })
  })
})
