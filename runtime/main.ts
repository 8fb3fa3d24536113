/** The local runtime: opens the bindings, finds the functions, starts their triggers, and ends without losing anything. */
import { fileURLToPath } from 'node:url'
import { SECOND_MS } from '#shared/limits.ts'
import { createAccess } from './access.ts'
import { openBindings, type RuntimeBindings } from './bindings.ts'
import type { Config } from './config.ts'
import { createCors } from './cors.ts'
import { waiterCount } from './guard.ts'
import { brokenOf, readiness } from './health.ts'
import { createHosts } from './targets/node/hosts.ts'
import { createInvoke } from './invoke.ts'
import { DRAIN_MARGIN_MS } from './limits.ts'
import { type BrokenFunction, discover, type LoadedFunction, messageOf } from './loader.ts'
import { createLogger, type RootLogger } from './logger.ts'
import { collectQueueMetrics, createMetrics } from './metrics.ts'
import { buildDocument } from './openapi.ts'
import { settingsOf } from './settings.ts'
import { drain } from './shutdown.ts'
import { createStreams } from './streams.ts'
import { createSystemRoutes, metricsResponse } from './system-routes.ts'
import { type Listening, listen, nodeServer } from './targets/node/server.ts'
import { createHttpHandler } from './triggers/http.ts'
import { consumeQueue } from './triggers/queue.ts'
import { startTimer } from './triggers/timer.ts'

export interface StartOptions {
  /** Default: functions/ of this project. */
  functionsFolder?: string
  /** Every function in a container, reloaded when its code changes. */
  dev?: boolean
  /** Bindings instead of those that the environment chooses. */
  open?: (config: Config) => Promise<RuntimeBindings>
  logger?: RootLogger
}

export interface Runtime {
  url: string
  port: number
  functions: readonly LoadedFunction[]
  broken(): BrokenFunction[]
  /** Resolves when every function was imported once, the broken ones included. */
  loaded: Promise<void>
  logger: RootLogger
  /** Drains and closes: what runs ends within DRAIN_MS, what does not goes back to its queue. */
  close(): Promise<void>
}

const FUNCTIONS = fileURLToPath(new URL('../functions', import.meta.url))

/** Without keys the server is for this machine alone. */
export function hostOf(config: Pick<Config, 'SERVER_HOST' | 'API_KEY'>): string {
  return config.API_KEY ? (config.SERVER_HOST ?? '0.0.0.0') : '127.0.0.1'
}

export function drainMs(config: Pick<Config, 'DRAIN_MS'>, functions: readonly LoadedFunction[]): number {
  const queues = functions.filter(({ config: { trigger } }) => trigger.type === 'queue')
  return (
    config.DRAIN_MS ?? Math.max(SECOND_MS, ...queues.map(({ config: { timeoutMs } }) => timeoutMs)) + DRAIN_MARGIN_MS
  )
}

async function loadAll(functions: readonly LoadedFunction[], logger: RootLogger): Promise<void> {
  await Promise.all(
    functions.map(async (fn) => {
      try {
        await fn.host.load()
      } catch (error) {
        fn.error = messageOf(error)
        logger.error({ function: fn.name, reason: fn.error }, 'function is broken')
      }
    }),
  )
}

export async function startRuntime(config: Config, options: StartOptions = {}): Promise<Runtime> {
  const logger = options.logger ?? createLogger(config)
  const metrics = createMetrics()
  const bindings = await (options.open ?? openBindings)(config)
  const hosts = createHosts(config, { dev: options.dev ?? false, metrics, logger })
  const folder = options.functionsFolder ?? FUNCTIONS
  const { functions, broken } = await discover({
    folder,
    names: config.FUNCTIONS,
    hostFor: hosts.hostFor,
    override: hosts.override,
  })
  for (const { name, error } of broken) logger.error({ function: name, reason: error }, 'function is broken')

  const publicUrl = config.PUBLIC_URL
  const invoke = createInvoke({
    bindings,
    settingsOf: (fn) => settingsOf(config, fn.config),
    logger,
    metrics,
    publicUrl,
  })
  const streams = createStreams(publicUrl)
  let draining = false
  const system = createSystemRoutes({
    ready: () => readiness({ tasks: bindings.tasks, functions, broken, isDraining: () => draining }),
    registry: metrics.registry,
    document: () => buildDocument(functions, { version: config.APP_VERSION, publicUrl }),
  })
  const handler = createHttpHandler({
    functions,
    invoke,
    access: createAccess(config, bindings.links),
    cors: createCors(config),
    rateLimit: bindings.rateLimit,
    streams,
    system,
    publicUrl,
    onError: (error) => logger.error({ err: error }, 'request failed'),
  })
  const listening = await listen(nodeServer(handler), config.SERVER_PORT, hostOf(config)).catch(
    async (error: unknown) => {
      await bindings.close()
      throw error
    },
  )
  const metricsPort = await listenMetrics(config, metrics)

  const queues = functions.flatMap((fn) =>
    fn.config.trigger.type === 'queue' ? [{ fn, trigger: fn.config.trigger }] : [],
  )
  const consumers = queues.map(({ fn, trigger }) =>
    consumeQueue(fn, trigger, { driver: bindings.queue, invoke, logger, metrics }),
  )
  const timers = await Promise.all(
    functions.flatMap((fn) =>
      fn.config.trigger.type === 'timer'
        ? [startTimer(fn, fn.config.trigger, { tasks: bindings.tasks, invoke, logger })]
        : [],
    ),
  )
  collectQueueMetrics(metrics.registry, bindings.queue, [...new Set(queues.map(({ trigger }) => trigger.queue))])
  metrics.collectWaiters(waiterCount)
  const stopWatching = options.dev ? await hosts.watch(functions, folder) : null

  let closing: Promise<void> | undefined
  return {
    url: listening.url,
    port: listening.port,
    functions,
    broken: () => brokenOf(functions, broken),
    loaded: loadAll(functions, logger),
    logger,
    close: () => {
      draining = true
      stopWatching?.()
      const servers = [listening, ...(metricsPort ? [metricsPort] : [])]
      closing ??= drain({ servers, streams, consumers, timers, functions, bindings, ms: drainMs(config, functions) })
      return closing
    },
  }
}

/** METRICS_PORT is for the scraper inside the network: no key, every address, and nothing else on it. */
async function listenMetrics(config: Config, metrics: ReturnType<typeof createMetrics>): Promise<Listening | null> {
  if (config.METRICS_PORT === undefined) return null
  const server = nodeServer(async (request) => {
    return new URL(request.url).pathname === '/metrics'
      ? await metricsResponse(metrics.registry)
      : new Response(null, { status: 404 })
  })
  return await listen(server, config.METRICS_PORT, '0.0.0.0')
}
