/** CPU from the start of the process to its first 200, with a warm compile cache. */
import { join } from 'node:path'
import { build } from '../../../build/build.ts'
import type { Architecture } from '../../../build/packages.ts'
import { first200, startBare, startOurs } from '../first-200.ts'
import { type Measured, ratioRow, type Round } from '../measured.ts'
import { placeIn, startRuntimeProcess } from '../processes.ts'

const ROUNDS = 15
const MAX = 3
/** Of what `npm run build -- node` makes: over bare node:http, and over the same unbundled. */
const BUNDLE_MAX = 2
const BUNDLED_MAX = 0.7

export async function start(folder: string): Promise<Measured[]> {
  const place = placeIn(folder, 'runtime')
  const bare = placeIn(folder, 'bare')
  // Ends by itself, in order, and so leaves its compile cache behind.
  await (await startRuntimeProcess(place))[Symbol.asyncDispose]()
  const bundled = placeIn(folder, 'bundled')
  await build({ target: 'node', architecture: process.arch as Architecture, out: join(folder, 'dist') })
  const command = [join(folder, 'dist/start.mjs')]
  await (await startRuntimeProcess(bundled, command))[Symbol.asyncDispose]()
  const rounds = { alone: [] as Round[], tree: [] as Round[], bundle: [] as Round[], saved: [] as Round[] }
  for (let round = 0; round <= ROUNDS; round++) {
    const ours = await first200(startOurs(place), '/tasks')
    const bundle = await first200(startOurs(bundled, command), '/tasks')
    const theirs = await first200(startBare(bare), '/')
    if (round === 0) continue
    rounds.alone.push({ ours: ours.alone, theirs: theirs.alone })
    rounds.tree.push({ ours: ours.tree, theirs: theirs.alone })
    rounds.bundle.push({ ours: bundle.alone, theirs: theirs.alone })
    rounds.saved.push({ ours: bundle.alone, theirs: ours.alone })
  }
  return [
    ratioRow('start to first 200', { max: MAX }, rounds.alone),
    ratioRow('the same with its containers', null, rounds.tree),
    ratioRow('start of the bundle', { max: BUNDLE_MAX }, rounds.bundle),
    ratioRow('the same over the unbundled', { max: BUNDLED_MAX }, rounds.saved),
  ]
}
