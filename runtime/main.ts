/** The local runtime: opens the bindings, finds the functions, starts their triggers, and ends without losing anything. */
import { fileURLToPath } from 'node:url'
import type { OpenRuntimeBindings } from './bindings.ts'
import type { Config } from './config.ts'
import { openCore } from './core.ts'
import { endWaitsOf } from './guard.ts'
import { brokenOf } from '../console/health.ts'
import { type BrokenFunction, discover, type LoadedFunction } from './loader.ts'
import { createLogger, type RootLogger } from '../console/logger.ts'
import { createMetrics } from '../console/metrics.ts'
import { drain } from './shutdown.ts'
import { openLocal } from '../stacks/local.ts'
import { openTelemetry } from '../telemetry/open.ts'
import { drainMs } from './targets/node/drain-time.ts'
import { createHosts } from './targets/node/hosts.ts'
import { listenAll } from './targets/node/listen.ts'
import { loadLater } from './targets/node/load-later.ts'
import { consumeQueues } from './triggers/queue.ts'
import { startTimers } from './triggers/timer.ts'

export interface StartOptions {
  /** Default: functions/ of this project. */
  functionsFolder?: string
  /** Every function in a container, replaced when its code changes. */
  dev?: boolean
  /** Bindings instead of those that the environment chooses. */
  open?: OpenRuntimeBindings
  logger?: RootLogger
}

export interface Runtime {
  url: string
  port: number
  functions: readonly LoadedFunction[]
  broken(): BrokenFunction[]
  /** Resolves when every function was imported once, the broken ones included. */
  loaded: Promise<void>
  /** Drains and closes: what runs ends within DRAIN_MS, what does not goes back to its queue. */
  close(): Promise<void>
}

const FUNCTIONS = fileURLToPath(new URL('../functions', import.meta.url))

export async function startRuntime(config: Config, options: StartOptions = {}): Promise<Runtime> {
  const telemetry = await openTelemetry(config)
  const { functionsFolder: folder = FUNCTIONS, dev = false, open = openLocal } = options
  const { logger = createLogger(config, telemetry.keep) } = options
  const metrics = createMetrics()
  const hosts = createHosts(config, { dev, metrics, logger })
  const find = () => discover({ ...hosts, folder, names: config.FUNCTIONS })
  const core = await openCore(config, { find, logger, metrics, open })
  const { functions, broken, bindings, streams } = core
  await telemetry.attach(core)

  const { api, servers } = await listenAll(core)
  const consumers = consumeQueues(core)
  const timers = await startTimers(core)
  const stopWatching = dev ? hosts.watch(functions, folder) : undefined

  let closing: Promise<void> | undefined
  return {
    url: api.url,
    port: api.port,
    functions,
    broken: () => brokenOf(functions, broken),
    loaded: loadLater(core),
    close() {
      core.draining = true
      stopWatching?.()
      const ms = drainMs(config, functions)
      const endWaits = (): void => endWaitsOf(bindings.tasks)
      return (closing ??= drain({ servers, streams, consumers, timers, functions, bindings, endWaits, ms }))
    },
  }
}
