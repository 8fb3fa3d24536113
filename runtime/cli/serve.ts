/** `npm start`: the table, the URLs, and a server until a signal. */
import { type Config, ConfigError, readConfig } from '../config.ts'
import { type Runtime, type StartOptions, startRuntime } from '../main.ts'
import { drainOnSignal } from './signals.ts'
import { startTable } from './table.ts'

const PORTS_TRIED = 20

/** Written to stderr: stdout is the log's. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

export function fail(error: unknown): never {
  if (error instanceof ConfigError) say(`The environment has a bad value.\n${error.message}`)
  else say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exit(1)
}

function isTaken(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
}

/** Takes the next free port when `SERVER_PORT` is taken, and says so. */
export async function startOnFreePort(config: Config, options: StartOptions): Promise<Runtime> {
  for (let port = config.SERVER_PORT; port < config.SERVER_PORT + PORTS_TRIED; port++) {
    try {
      const runtime = await startRuntime({ ...config, SERVER_PORT: port }, options)
      if (port !== config.SERVER_PORT) say(`Port ${config.SERVER_PORT} is taken; using ${runtime.port}.`)
      return runtime
    } catch (error) {
      if (!isTaken(error)) throw error
    }
  }
  throw new ConfigError(
    `SERVER_PORT: the ports ${config.SERVER_PORT} to ${config.SERVER_PORT + PORTS_TRIED - 1} are all taken`,
  )
}

export function announce(runtime: Runtime, config: Config, inContainers = false): void {
  say(startTable(runtime.functions, runtime.broken(), inContainers))
  say(
    `\nAPI      ${runtime.url}/tasks\nDocs     ${runtime.url}/docs\nHealth   ${runtime.url}/readyz\nMetrics  ${runtime.url}/metrics`,
  )
  if (!config.API_KEY) say('\nNo API_KEY is set: the server listens on 127.0.0.1 only, and asks for no key.')
  else if (!config.SIGNING_KEYS)
    say('\nNo SIGNING_KEYS are set: links are signed with a key derived from the first API_KEY, and change with it.')
}

export async function run(): Promise<void> {
  try {
    const config = readConfig()
    const runtime = await startRuntime(config).catch((error: unknown) => {
      if (!isTaken(error)) throw error
      throw new ConfigError(`SERVER_PORT: port ${config.SERVER_PORT} is taken; set another`)
    })
    drainOnSignal(() => runtime.close(), say)
    await runtime.loaded
    announce(runtime, config)
  } catch (error) {
    fail(error)
  }
}
