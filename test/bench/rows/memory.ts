/** Memory of all processes together over many pictures, and what is left of it when they are done. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sendAndWait } from '../client.ts'
import type { Measured } from '../measured.ts'
import { mixedPictures } from '../pictures.ts'
import { placeIn, startRuntimeProcess } from '../processes.ts'
import { treePssBytes } from '../process-tree.ts'

const PICTURES = 300
const CLIENTS = 4
const SAMPLE_MS = 50
/** Before the first figure, so that what a start leaves behind is gone or is not. */
const SETTLE_MS = 3_000
const IDLE_MS = 60_000
const PEAK_MAX = 300
const LEFT_MAX = 60

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20)

export async function memory(folder: string): Promise<Measured[]> {
  const pictures = await mixedPictures(folder)
  await using runtime = await startRuntimeProcess(placeIn(folder, 'runtime'))
  await sleep(SETTLE_MS)
  const atStart = mebibytes(treePssBytes(runtime.pid))
  let peak = atStart
  const sampling = setInterval(() => (peak = Math.max(peak, mebibytes(treePssBytes(runtime.pid)))), SAMPLE_MS)
  const startedAt = performance.now()
  let sent = 0
  const client = async (): Promise<void> => {
    while (sent < PICTURES) await sendAndWait(runtime.url, pictures[sent++ % pictures.length]!)
  }
  await Promise.all(Array.from({ length: CLIENTS }, client)).finally(() => clearInterval(sampling))
  const seconds = (performance.now() - startedAt) / 1_000
  await sleep(IDLE_MS)
  const left = mebibytes(treePssBytes(runtime.pid)) - atStart
  const wall = `${PICTURES} pictures in ${seconds.toFixed(0)} s`
  return [
    { name: 'memory, peak', limit: `≤ ${PEAK_MAX} MB`, measured: `${peak} MB`, met: peak <= PEAK_MAX, wall },
    {
      name: 'memory, above the start a minute later',
      limit: `≤ ${LEFT_MAX} MB`,
      measured: `${left} MB (${atStart} at the start)`,
      met: left <= LEFT_MAX,
    },
  ]
}
