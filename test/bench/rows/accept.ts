/** Accepted tasks per second, against SQLite and files alone at the same durability. */
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Storing } from '../contestants/bare-store.ts'
import type { Load } from '../contestants/load.ts'
import { newTask } from '../finished-task.ts'
import { type Measured, rateRow, type Round, type Sample } from '../measured.ts'
import { smallPicture } from '../pictures.ts'
import { placeIn, startContestant, startRuntimeProcess } from '../processes.ts'
import { processCpuMs } from '../process-tree.ts'

const ROUNDS = 7
const TASKS = 400
const CONCURRENCY = 16
const MIN = 0.8

const BARE = new URL('../contestants/bare-store.ts', import.meta.url)
const LOAD = new URL('../contestants/load.ts', import.meta.url)
const FUNCTIONS = fileURLToPath(new URL('../../../functions', import.meta.url))

async function measure(pid: number, run: () => Promise<{ wallMs: number }>): Promise<Sample> {
  const before = processCpuMs(pid)
  const { wallMs } = await run()
  return { cpuMs: (processCpuMs(pid) - before) / TASKS, wallMs: wallMs / TASKS }
}

/** All but the one that would take the tasks on while they are still being sent. */
async function otherFunctions(): Promise<string> {
  return (await readdir(FUNCTIONS)).filter((name) => name !== 'process-image').join(',')
}

export async function accept(folder: string): Promise<Measured[]> {
  const { file, type } = await smallPicture(folder)
  const document = JSON.stringify(newTask())
  await using load = startContestant<Load, { wallMs: number }>(LOAD, placeIn(folder, 'load'))
  await using runtime = await startRuntimeProcess(placeIn(folder, 'runtime', { FUNCTIONS: await otherFunctions() }))
  await using flat = startContestant<Storing, { wallMs: number }>(BARE, placeIn(folder, 'flat'))
  await using nested = startContestant<Storing, { wallMs: number }>(BARE, placeIn(folder, 'nested'))
  const storing = { file, document, tasks: TASKS, concurrency: CONCURRENCY }
  const rounds: { flat: Round[]; nested: Round[] } = { flat: [], nested: [] }
  for (let round = 0; round <= ROUNDS; round++) {
    const ours = await measure(runtime.pid, () =>
      load.ask({
        port: runtime.port,
        method: 'POST',
        path: '/tasks',
        body: { file, type },
        requests: TASKS,
        connections: CONCURRENCY,
        status: 202,
      }),
    )
    const inOneFolder = await measure(flat.pid, () => flat.ask({ ...storing, folders: false }))
    const inFolders = await measure(nested.pid, () => nested.ask({ ...storing, folders: true }))
    if (round === 0) continue
    rounds.flat.push({ ours, theirs: inOneFolder })
    rounds.nested.push({ ours, theirs: inFolders })
  }
  return [
    rateRow('accept, tasks per second', { min: MIN }, rounds.flat),
    rateRow('the same, bare with a folder for each', null, rounds.nested),
  ]
}
