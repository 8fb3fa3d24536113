/** `npm start`: the table, the URLs, and a server until a signal. */
import { ConfigError } from '#shared/errors.ts'
import { type Config, readConfig } from '../runtime/config.ts'
import { type Runtime, type StartOptions, startRuntime } from '../runtime/main.ts'
import { fail, say } from './report.ts'
import { drainOnSignal, outliveStrays } from './signals.ts'
import { startTable } from './table.ts'
import { checkWritable } from './writable.ts'

const PORTS_TRIED = 20
const PORT_MAX = 65_535

/** True when it is the API's port that is taken, not that of the metrics. */
function isTaken(error: unknown, port: number): boolean {
  const { code, port: taken } = error as NodeJS.ErrnoException & { port?: number }
  return code === 'EADDRINUSE' && taken === port
}

/** Names the variable of a port that is taken. */
function explained(error: unknown, { SERVER_PORT, METRICS_PORT }: Config): unknown {
  for (const [name, port] of Object.entries({ SERVER_PORT, METRICS_PORT })) {
    if (port !== undefined && isTaken(error, port))
      return new ConfigError(`${name}: port ${port} is taken; set another`)
  }
  return error
}

/** Takes the next free port when `SERVER_PORT` is taken, and says so. */
export async function startOnFreePort(config: Config, options: StartOptions): Promise<Runtime> {
  const first = config.SERVER_PORT
  const last = Math.min(first + PORTS_TRIED - 1, PORT_MAX)
  for (let port = first; port <= last; port++) {
    try {
      const runtime = await startRuntime({ ...config, SERVER_PORT: port }, options)
      if (port !== first) say(`Port ${first} is taken; using ${runtime.port}.`)
      return runtime
    } catch (error) {
      if (!isTaken(error, port)) throw explained(error, config)
    }
  }
  throw new ConfigError(`SERVER_PORT: the ports ${first} to ${last} are all taken`)
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
    checkWritable(config)
    outliveStrays(say)
    const runtime = await startRuntime(config).catch((error: unknown) => {
      throw explained(error, config)
    })
    drainOnSignal(() => runtime.close(), say)
    await runtime.loaded
    announce(runtime, config)
  } catch (error) {
    fail(error)
  }
}
