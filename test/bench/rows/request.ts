/** CPU of one GET /tasks/{taskId}: through the runtime, and the same app under bare @hono/node-server. */
import type { Load } from '../contestants/load.ts'
import { seedFinishedTask } from '../finished-task.ts'
import { type Measured, ratioRow, type Round, type Sample } from '../measured.ts'
import { type Contestant, placeIn, startContestant, startRuntimeProcess } from '../processes.ts'
import { processCpuMs } from '../process-tree.ts'

const ROUNDS = 7
const REQUESTS = 5_000
const CONNECTIONS = 8
const LOGGED_MAX = 1.1
const PLAIN_MAX = 1.5

const BARE = new URL('../contestants/bare-hono.ts', import.meta.url)
const LOAD = new URL('../contestants/load.ts', import.meta.url)

interface Server {
  pid: number
  port: number
  path: string
}

async function measure(load: Contestant<Load, { wallMs: number }>, { pid, port, path }: Server): Promise<Sample> {
  const before = processCpuMs(pid)
  const { wallMs } = await load.ask({
    port,
    method: 'GET',
    path,
    requests: REQUESTS,
    connections: CONNECTIONS,
    status: 200,
  })
  return { cpuMs: (processCpuMs(pid) - before) / REQUESTS, wallMs: wallMs / REQUESTS }
}

export async function request(folder: string): Promise<Measured[]> {
  const places = ['runtime', 'logged', 'plain'].map((name) => placeIn(folder, name))
  const paths = await Promise.all(places.map(async (place) => `/tasks/${await seedFinishedTask(place)}`))
  const [ours, withLog, without] = places as [(typeof places)[0], (typeof places)[0], (typeof places)[0]]
  await using load = startContestant<Load, { wallMs: number }>(LOAD, placeIn(folder, 'load'))
  await using runtime = await startRuntimeProcess(ours)
  await using logged = startContestant<object, { port: number }>(BARE, withLog, ['log'])
  await using plain = startContestant<object, { port: number }>(BARE, without)
  const servers: Server[] = [
    { pid: runtime.pid, port: runtime.port, path: paths[0]! },
    { pid: logged.pid, ...(await logged.ask({})), path: paths[1]! },
    { pid: plain.pid, ...(await plain.ask({})), path: paths[2]! },
  ]
  const against = { logged: [] as Round[], plain: [] as Round[] }
  // The first round warms the compilers up.
  for (let round = 0; round <= ROUNDS; round++) {
    const samples: Sample[] = []
    for (const server of servers) samples.push(await measure(load, server))
    const [mine, log, bare] = samples as [Sample, Sample, Sample]
    if (round === 0) continue
    against.logged.push({ ours: mine, theirs: log })
    against.plain.push({ ours: mine, theirs: bare })
  }
  return [
    ratioRow('request, bare app that logs', { max: LOGGED_MAX }, against.logged),
    ratioRow('request, bare app', { max: PLAIN_MAX }, against.plain),
  ]
}
