/** CPU from the start of the process to its first 200, with a warm compile cache. */
import { type ChildProcess, spawn } from 'node:child_process'
import { get } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from '../../../runtime/build/build.ts'
import type { Architecture } from '../../../runtime/build/packages.ts'
import { type Measured, ratioRow, type Round, type Sample } from '../measured.ts'
import { type Place, placeIn, spawnRuntime, startRuntimeProcess, stop } from '../processes.ts'
import { startCpuMs } from '../process-tree.ts'

const ROUNDS = 15
const MAX = 3
/** Of what `npm run build -- node` makes: over bare node:http, and over the same unbundled. */
const BUNDLE_MAX = 2
const BUNDLED_MAX = 0.7
const RETRY_MS = 2

const BARE = fileURLToPath(new URL('../contestants/bare-http.mjs', import.meta.url))

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Null while nobody listens. */
function statusOf(port: number, path: string): Promise<number | null> {
  return new Promise((resolve) => {
    get({ port, path, host: '127.0.0.1', agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode ?? null)
    }).on('error', () => resolve(null))
  })
}

interface First {
  alone: Sample
  tree: Sample
}

async function first200(startProcess: (port: number) => ChildProcess, path: string): Promise<First> {
  const port = await freePort()
  const startedAt = performance.now()
  const child = startProcess(port)
  try {
    while ((await statusOf(port, path)) !== 200) {
      if (child.exitCode !== null) throw new Error('the process ended before it answered')
      await sleep(RETRY_MS)
    }
    const { alone, tree } = startCpuMs(child.pid!)
    const wallMs = performance.now() - startedAt
    return { alone: { cpuMs: alone, wallMs }, tree: { cpuMs: tree, wallMs } }
  } finally {
    await stop(child)
  }
}

function startOurs({ folder, env }: Place, command?: readonly string[]): (port: number) => ChildProcess {
  return (port) => {
    const child = spawnRuntime({ folder, env: { ...env, SERVER_PORT: String(port) } }, command)
    // What it says is not read; a full pipe would hold it.
    child.stderr!.resume()
    return child
  }
}

function startBare({ env }: Place): (port: number) => ChildProcess {
  return (port) =>
    spawn(process.execPath, [BARE], {
      env: { ...env, SERVER_PORT: String(port) },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
}

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
