/** A started runtime over fixture functions, on a free port, with storage of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../runtime/config.ts'
import { type Runtime, startRuntime } from '../../runtime/main.ts'
import { FIXTURES } from './function.ts'
import { type Recorded, recordedLog } from './log.ts'

export interface TestRuntime extends Recorded, AsyncDisposable {
  runtime: Runtime
  folder: string
  fetch(path: string, init?: RequestInit): Promise<Response>
}

export function storageEnv(folder: string): Record<string, string> {
  return {
    STORAGE_INPUT_PATH: join(folder, 'input'),
    STORAGE_OUTPUT_PATH: join(folder, 'output'),
    SQLITE_FILE: join(folder, 'tasks.sqlite'),
  }
}

export interface TestRuntimeOptions {
  /** FUNCTIONS. */
  names: string[]
  env?: Record<string, string>
  functionsFolder?: string
  dev?: boolean
}

export async function startTestRuntime(options: TestRuntimeOptions): Promise<TestRuntime> {
  const { names, env = {}, functionsFolder = FIXTURES, dev = false } = options
  const folder = await mkdtemp(join(tmpdir(), 'revela-runtime-'))
  const own = { FUNCTIONS: names.join(','), SERVER_PORT: '0', DRAIN_MS: '5000', ...storageEnv(folder) }
  const config = readConfig({ ...own, ...env })
  const log = recordedLog()
  const runtime = await startRuntime(config, { functionsFolder, dev, logger: log.logger })
  await runtime.loaded
  return {
    ...log,
    runtime,
    folder,
    fetch: (path, init) => fetch(`${runtime.url}${path}`, init),
    async [Symbol.asyncDispose]() {
      await runtime.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
