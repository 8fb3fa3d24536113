/** A runtime of its own process over one function that is careless: what becomes of the process is what is tested. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { outliveStrays } from '../../cli/signals.ts'
import { readConfig } from '../../runtime/config.ts'
import { startRuntime } from '../../runtime/main.ts'
import { FIXTURES } from './function.ts'
import { storageEnv } from './runtime.ts'

const folder = await mkdtemp(join(tmpdir(), 'revela-stray-'))
const config = readConfig({ ...storageEnv(folder), FUNCTIONS: 'inline', SERVER_PORT: '0' })
outliveStrays((line) => process.stderr.write(`${line}\n`))
const runtime = await startRuntime(config, { functionsFolder: FIXTURES })
process.stdout.write(`${runtime.url}\n`)
