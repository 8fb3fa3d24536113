/**
 * I4: no reader ever sees part of a variant, by its path or over HTTP.
 *
 * Broken on purpose, in a copy, and what failed then:
 *
 * | broken | failed |
 * |---|---|
 * | put writes under the final name | both |
 * | put gives the final name before the bytes are written | both |
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { until } from '../../runtime/until.ts'
import { API, BOUND_MS, observe, openScene, QUICK, type Scene, sha256, WORKER, IN_PARALLEL } from './scene.ts'
import { noisePng } from './noise.ts'
import { overStacks } from './stacks.ts'

/** Looks of a reader after which it counts as having read while the write was under way. */
const LOOKS = 30

/** What a reader of the path gets: nothing, or the hash of what it got. */
async function readPath(path: string): Promise<string | null> {
  try {
    return sha256(await readFile(path))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** What a reader of the URL gets: nothing while there is nothing (409, 503), or the hash of what it got. */
async function readUrl(scene: Scene, url: string, headers: Record<string, string> = {}): Promise<string | null> {
  const response = await scene.request(url, { headers })
  const bytes = new Uint8Array(await response.arrayBuffer())
  if (response.status === 409 || response.status === 503) return null
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`)
  return sha256(bytes)
}

/** Reads on and on, and keeps each hash that it came by. */
function reader(read: () => Promise<string | null>) {
  const seen = new Set<string>()
  const observer = observe(async () => {
    const hash = await read()
    if (hash !== null) seen.add(hash)
    return []
  })
  return { ...observer, seen: () => [...seen] }
}

/** Bytes on the disk, under whatever name, of the file that is being written: what a reader could see a part of. */
async function writtenBytes(folder: string, finished: readonly string[] = []): Promise<number> {
  const names = (await readdir(folder).catch((): string[] => [])).filter((name) => !finished.includes(name))
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size))
  return Math.max(0, ...sizes)
}

overStacks('I4 over $name: no reader sees part of a variant', IN_PARALLEL, (stack) => {
  let bytes: Buffer
  beforeAll(async () => {
    bytes = await noisePng(1_000, 1_000)
  })

  function putPoints(scene: Scene) {
    const [killed, held] = [scene.mark(), scene.mark()]
    const points = [
      { at: 'blobs.put', when: 'during', nth: 1, mark: killed.mark },
      { at: 'blobs.put', when: 'during', nth: 1, mark: held.mark, effect: 'hold' },
    ] as const
    return { killed, held, functions: { 'process-image': { config: { trigger: QUICK }, points } } }
  }

  it('while it is written, when its writer is killed, and when the whole runtime is', async () => {
    await using scene = await openScene(stack)
    const { killed, held, functions } = putPoints(scene)
    const api = await scene.start({ env: API })
    const id = await scene.upload(api, { bytes, fields: { variants: '800x800,80x80', format: 'png' } })
    const folder = join(scene.folder, 'output', id)
    const file = join(folder, '800x800.png')
    const [byPath, byUrl] = [
      reader(() => readPath(file)),
      reader(() => readUrl(scene, `${api.url}/tasks/${id}/variants/800x800`)),
    ]

    const worker = await scene.start({ env: WORKER, functions })
    await killed.reached()
    await held.reached()
    // Half of it lies on the disk by now, and stays there until the hold ends.
    await until('half is on the disk', async () => (await writtenBytes(folder)) > 100_000, BOUND_MS)
    const [pathLooks, urlLooks] = [byPath.looks(), byUrl.looks()]
    await until(
      'both readers read',
      () => byPath.looks() > pathLooks + LOOKS && byUrl.looks() > urlLooks + LOOKS,
      BOUND_MS,
    )
    expect([byPath.seen(), byUrl.seen()]).toEqual([[], []])
    worker.kill()
    await worker.exited
    expect(await readPath(file)).toBeNull()

    await scene.start({ env: WORKER })
    const task = await scene.terminal(id)
    await until('both readers read it', () => byPath.seen().length > 0 && byUrl.seen().length > 0, BOUND_MS)
    await Promise.all([byPath.stop(), byUrl.stop()])
    expect([byPath.seen(), byUrl.seen()]).toEqual([[task.variants[0]!.sha256], [task.variants[0]!.sha256]])
    // What the killed writers left behind has no address.
    const left = (await readdir(folder)).filter((name) => name.startsWith('.tmp-'))
    expect(left.length).toBeGreaterThan(0)
    for (const name of left) {
      const response = await scene.request(`${api.url}/tasks/${id}/variants/${encodeURIComponent(name)}`)
      expect([response.status, (await response.text()).length < 1_000]).toEqual([404, true])
    }
  })

  it('nor of what is derived: until it is whole, the JPEG is served', async () => {
    await using scene = await openScene(stack)
    const { killed, held, functions } = putPoints(scene)
    const whole = await scene.start()
    const id = await scene.upload(whole, { bytes, fields: { variants: '1000x1000' } })
    const { variants } = await scene.terminal(id)
    await whole.stop()
    const victim = await scene.start({ functions })
    const url = `${victim.url}/tasks/${id}/variants/1000x1000`
    const folder = join(scene.folder, 'output', id)
    const byPath = reader(() => readPath(join(folder, '1000x1000.webp')))
    const byAccept = reader(() => readUrl(scene, url, { accept: 'image/webp,image/*' }))
    const byFormat = reader(() => readUrl(scene, `${url}?format=webp`))
    await killed.reached()
    await held.reached()
    await until('half is on the disk', async () => (await writtenBytes(folder, ['1000x1000.jpg'])) > 100_000, BOUND_MS)
    const looks = [byPath.looks(), byAccept.looks(), byFormat.looks()]
    const all = [byPath, byAccept, byFormat]
    await until('each reader read', () => all.every((each, at) => each.looks() > looks[at]! + 1), BOUND_MS)
    expect(all.map((each) => each.seen())).toEqual([[], [variants[0]!.sha256], []])
    held.release()
    await until('each reader read it', () => all.every((each, at) => each.seen().length > (at === 1 ? 1 : 0)), BOUND_MS)
    await Promise.all(all.map((each) => each.stop()))
    const derived = (await scene.task(id))!.variants[0]!.derived.webp!.sha256
    expect(all.map((each) => each.seen())).toEqual([[derived], [variants[0]!.sha256, derived], [derived]])
  })
})
