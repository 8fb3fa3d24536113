/** The process that is killed: a whole runtime in the folder VICTIM_FOLDER, dying at VICTIM_POINTS where those are set. */
import { join } from 'node:path'
import module from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import type { RuntimeBindings } from '../../runtime/bindings.ts'
import { openLocal } from '../../stacks/local.ts'
import { type Config, readConfig } from '../../runtime/config.ts'
import { createInvoke } from '../../runtime/invoke.ts'
import { createLogger } from '../../console/logger.ts'
import { type Runtime, startRuntime } from '../../runtime/main.ts'
import { createMetrics } from '../../console/metrics.ts'
import { settingsOf } from '../../runtime/settings.ts'
import { moveClock } from './clock.ts'
import { type CrashPoint, withCrash } from './crash.ts'

module.enableCompileCache()

const BUSY_STEP_MS = 10

/** Asked for by the test: move the clock on, then run sweep-tasks once. */
export interface SweepRequest {
  sweep: number
  afterMs: number
}
export type VictimMessage = { url: string } | { swept: number; status: number }

const { VICTIM_FOLDER: folder, VICTIM_FUNCTIONS, VICTIM_POINTS, VICTIM_LEASE_MS, VICTIM_CLOCK_MS } = process.env
const points = JSON.parse(VICTIM_POINTS ?? '[]') as CrashPoint[]
const config = readConfig({
  ...process.env,
  SERVER_PORT: process.env.SERVER_PORT ?? '0',
  STORAGE_INPUT_PATH: join(folder!, 'input'),
  STORAGE_OUTPUT_PATH: join(folder!, 'output'),
  SQLITE_FILE: join(folder!, 'tasks.sqlite'),
  LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
})
if (VICTIM_CLOCK_MS) moveClock(Number(VICTIM_CLOCK_MS))

let bindings: RuntimeBindings
async function open(from: Config): Promise<RuntimeBindings> {
  return (bindings = withCrash(await openLocal(from, { leaseMs: Number(VICTIM_LEASE_MS) }), points))
}

/** As the timer does, but now, whoever else has the tick. Resolves with the status. */
async function sweep({ functions }: Runtime): Promise<number> {
  const sweeper = functions.find(({ name }) => name === 'sweep-tasks')
  if (!sweeper) throw new Error('this process has no sweep-tasks')
  const invoke = createInvoke({
    bindings,
    settingsOf: (fn) => settingsOf(config, fn.config),
    logger: createLogger(config),
    metrics: createMetrics(),
    publicUrl: config.PUBLIC_URL,
  })
  for (;;) {
    const request = new Request('http://timer.invalid/', { method: 'POST' })
    const { status } = await invoke(sweeper, request, { caller: { kind: 'open' } })
    if (status !== 503) return status
    // Its own timer is at it.
    await delay(BUSY_STEP_MS)
  }
}

const send = (message: VictimMessage): void => void process.send!(message)
const runtime = await startRuntime(config, { open, ...(VICTIM_FUNCTIONS ? { functionsFolder: VICTIM_FUNCTIONS } : {}) })
process.once('SIGTERM', () => void runtime.close().then(() => process.exit(0)))
process.once('disconnect', () => process.exit(1))
process.on('message', ({ sweep: number, afterMs }: SweepRequest) => {
  moveClock(afterMs)
  void sweep(runtime).then((status) => send({ swept: number, status }))
})
send({ url: runtime.url })
