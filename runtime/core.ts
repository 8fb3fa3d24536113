/** What every target needs before its triggers: bindings, functions, invoke, and the HTTP edge around them. */
import { createAccess } from './access.ts'
import type { OpenRuntimeBindings, RuntimeBindings } from './bindings.ts'
import type { Config } from './config.ts'
import { buildDocument } from '../console/openapi.ts'
import { createSystemRoutes } from '../console/system-routes.ts'
import { createCors } from './cors.ts'
import { waiterCount } from './guard.ts'
import { readiness } from '../console/health.ts'
import { createInvoke, type Invoke } from './invoke.ts'
import type { BrokenFunction, Found, LoadedFunction } from './loader.ts'
import type { RootLogger } from '../console/logger.ts'
import type { Metrics } from '../console/metrics.ts'
import { settingsOf } from './settings.ts'
import { createStreams, type Streams } from './streams.ts'
import { createHttpHandler, type HttpHandler } from './triggers/http.ts'

export interface Core {
  config: Config
  logger: RootLogger
  metrics: Metrics
  bindings: RuntimeBindings
  functions: LoadedFunction[]
  broken: BrokenFunction[]
  invoke: Invoke
  streams: Streams
  handler: HttpHandler
  /** Set when the process takes nothing new: readiness says so. */
  draining: boolean
}

export interface CoreOptions {
  logger: RootLogger
  metrics: Metrics
  find: () => Promise<Found>
  open: OpenRuntimeBindings
}

export async function openCore(config: Config, options: CoreOptions): Promise<Core> {
  const { logger, metrics, find, open } = options
  const bindings = await open(config, { onError: (err) => logger.error({ err }, 'binding failed') })
  const { functions, broken } = await find()
  for (const { name, error } of broken) logger.error({ function: name, reason: error }, 'function is broken')

  const publicUrl = config.PUBLIC_URL
  const settings = new Map(functions.map((fn) => [fn, settingsOf(config, fn.config)]))
  const invoke = createInvoke({ bindings, settingsOf: (fn) => settings.get(fn)!, logger, metrics, publicUrl })
  const streams = createStreams()
  metrics.collect({ config, functions, bindings, waiters: waiterCount })

  const system = createSystemRoutes({
    ready: () => readiness({ tasks: bindings.tasks, functions, broken, isDraining: () => core.draining }),
    registry: metrics.registry,
    document: () => buildDocument(functions, { version: config.APP_VERSION, publicUrl }),
  })
  const handler = createHttpHandler({
    functions,
    invoke,
    access: createAccess(config.API_KEY ?? [], bindings.links, config.AUTH === 'platform'),
    cors: createCors(config),
    rateLimit: bindings.rateLimit,
    streams,
    system,
    publicUrl,
    onError: (error) => logger.error({ err: error }, 'request failed'),
  })
  const core = { config, logger, metrics, bindings, functions, broken, invoke, streams, handler, draining: false }
  return core
}
