/** CPU from upload to completed, the whole product against two plain sharp pipelines. */
import { sendAndWait } from '../client.ts'
import type { Rendering } from '../contestants/two-pipelines.ts'
import { type Measured, ratioRow, type Round, type Sample } from '../measured.ts'
import { photographsIn, type PictureFile } from '../pictures.ts'
import { placeIn, startContestant, startRuntimeProcess } from '../processes.ts'
import { treeCpuMs } from '../process-tree.ts'
import { containerCommand } from '../../../runtime/targets/node/command.ts'

const ROUNDS = 7
const PICTURES = 5
const MAX = 0.8

const PLAIN = new URL('../contestants/two-pipelines.ts', import.meta.url)

/** What `run` takes for each picture, over the process and all that descend from it. */
async function measure(pid: number, run: () => Promise<unknown>): Promise<Sample> {
  const before = treeCpuMs(pid)
  const startedAt = performance.now()
  await run()
  const wallMs = performance.now() - startedAt
  return { cpuMs: (treeCpuMs(pid) - before) / PICTURES, wallMs: wallMs / PICTURES }
}

export async function render(folder: string): Promise<Measured[]> {
  const { plain, srgb } = await photographsIn(folder)
  await using runtime = await startRuntimeProcess(placeIn(folder, 'runtime'))
  // The same allocator as in a container: the pictures are compared, not malloc.
  const { LD_PRELOAD, MALLOC_ARENA_MAX } = containerCommand('').env
  const allocator = LD_PRELOAD ? { LD_PRELOAD } : { MALLOC_ARENA_MAX: MALLOC_ARENA_MAX ?? '2' }
  await using pipelines = startContestant<Rendering, unknown>(PLAIN, placeIn(folder, 'pipelines', allocator))
  const product = async (picture: PictureFile): Promise<void> => {
    for (let sent = 0; sent < PICTURES; sent++) await sendAndWait(runtime.url, picture)
  }
  const round = async (picture: PictureFile): Promise<Round> => ({
    ours: await measure(runtime.pid, () => product(picture)),
    theirs: await measure(pipelines.pid, () => pipelines.ask({ file: picture.file, pictures: PICTURES })),
  })
  const rounds: { plain: Round[]; srgb: Round[] } = { plain: [], srgb: [] }
  await round(plain)
  await round(srgb)
  for (let done = 0; done < ROUNDS; done++) {
    rounds.plain.push(await round(plain))
    rounds.srgb.push(await round(srgb))
  }
  return [
    ratioRow('render, no profile', { max: MAX }, rounds.plain),
    ratioRow('render, sRGB profile', { max: MAX }, rounds.srgb),
  ]
}
