/** The process that is killed: a whole runtime in the folder VICTIM_FOLDER, dying at VICTIM_CRASH where that is set. */
import { join } from 'node:path'
import module from 'node:module'
import { openBindings, type RuntimeBindings } from '../../runtime/bindings.ts'
import { type Config, readConfig } from '../../runtime/config.ts'
import { startRuntime } from '../../runtime/main.ts'
import { type CrashPoint, withCrash } from './crash.ts'

module.enableCompileCache()

const folder = process.env.VICTIM_FOLDER!
const crash = process.env.VICTIM_CRASH ? (JSON.parse(process.env.VICTIM_CRASH) as CrashPoint) : null
const config = readConfig({
  ...process.env,
  SERVER_PORT: process.env.SERVER_PORT ?? '0',
  STORAGE_INPUT_PATH: join(folder, 'input'),
  STORAGE_OUTPUT_PATH: join(folder, 'output'),
  SQLITE_FILE: join(folder, 'tasks.sqlite'),
  LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
})

// A short lease, so that a run of many kills does not wait 15 s after each.
const LEASE_MS = 1_000

async function open(from: Config): Promise<RuntimeBindings> {
  return withCrash(await openBindings(from, { leaseMs: LEASE_MS }), crash)
}

const runtime = await startRuntime(config, { open })
process.once('SIGTERM', () => void runtime.close().then(() => process.exit(0)))
process.send!({ url: runtime.url })
