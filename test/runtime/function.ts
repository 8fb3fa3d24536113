/** One function behind the real invoke, without triggers: in a container, or inline as an app that the test makes. */
import { createHash } from 'node:crypto'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Bindings } from '#shared/bindings.ts'
import type { App } from '#shared/http.ts'
import type { LinkSigner } from '#shared/edge.ts'
import type { OpenBindings } from '../../runtime/guard.ts'
import { checkApp, type FunctionHost } from '../../runtime/host.ts'
import type { InvocationContext } from '../../runtime/invocation.ts'
import { createInvoke, type Invoke } from '../../runtime/invoke.ts'
import { checkConfig, type LoadedFunction } from '../../runtime/loader.ts'
import { collectFunctions } from '../../console/function-metrics.ts'
import { createMetrics, type Metrics } from '../../console/metrics.ts'
import { hmacLinks } from '../../runtime/drivers/links/hmac.ts'
import { containerPool, type PoolOptions } from '../../runtime/targets/node/pool.ts'
import { type TestBindings, testBindings, testSettings } from '../bindings.ts'
import { type Recorded, recordedLog } from './log.ts'

export const FIXTURES = fileURLToPath(new URL('fixtures/functions', import.meta.url))

export interface InvokedFunction extends Recorded, AsyncDisposable {
  fn: LoadedFunction
  bindings: TestBindings & { links: LinkSigner }
  metrics: Metrics
  invoke: Invoke
  /** One invocation: `call('/probe/ok')`. */
  call(path: string, init?: RequestInit, context?: Partial<InvocationContext>): Promise<Response>
}

export interface FunctionOptions {
  timeoutMs?: number
  concurrency?: number
  trigger?: 'http' | 'queue'
  bindings?: Partial<Bindings>
}

async function invokedFunction(
  host: (env: OpenBindings) => FunctionHost,
  options: FunctionOptions,
): Promise<InvokedFunction> {
  const { timeoutMs = 1_000, concurrency = 100, trigger = 'http' } = options
  const links = hmacLinks({ keys: [], ttlMs: 1_000, publicUrl: undefined })
  const bindings = Object.assign(await testBindings(options.bindings), { links })
  const log = recordedLog()
  const metrics = createMetrics()
  const http = { type: 'http', routes: ['GET /'], concurrency }
  const backoff = { initialMs: 1, factor: 1, maxMs: 1 }
  const queue = { type: 'queue', queue: 'tests', concurrency, maxAttempts: 2, backoff }
  const fn: LoadedFunction = {
    name: 'test',
    folder: FIXTURES,
    config: checkConfig({ trigger: trigger === 'http' ? http : queue, timeoutMs }),
    host: host(bindings),
    concurrency,
    running: 0,
    answered: new Map(),
    error: null,
  }
  metrics.extend((registry) => collectFunctions(registry, [fn]))
  const settingsOf = () => testSettings()
  const invoke = createInvoke({ bindings, settingsOf, logger: log.logger, metrics, publicUrl: undefined })
  const dispose = async (): Promise<void> => {
    await fn.host.close()
    await bindings[Symbol.asyncDispose]()
  }
  return {
    ...log,
    fn,
    bindings,
    metrics,
    invoke,
    call: (path: string, init?: RequestInit, context: Partial<InvocationContext> = {}) =>
      invoke(fn, new Request(`http://localhost${path}`, init), { caller: { kind: 'open' }, ...context }),
    [Symbol.asyncDispose]: dispose,
  }
}

/** The fixture function of this name, in containers. */
export async function containedFunction(
  name: string,
  { pool = {}, ...options }: FunctionOptions & { pool?: Partial<PoolOptions> } = {},
): Promise<InvokedFunction> {
  const index = pathToFileURL(`${FIXTURES}/${name}/index.ts`).href
  return await invokedFunction((env) => {
    const folder = (env as TestBindings).folder
    const storage = { inputPath: `${folder}/input`, outputPath: `${folder}/output`, allowHosts: [] }
    const init = { index, trigger: options.trigger ?? 'http', storage, settings: testSettings() } as const
    return containerPool({ init, allowed: 'all', max: 1, each: 1, ...pool })
  }, options)
}

/** An app in this process. */
export async function inlineFunction(app: App, options: FunctionOptions = {}): Promise<InvokedFunction> {
  checkApp(app, 'http')
  const host: FunctionHost = {
    load: async () => undefined,
    fetch: async (request, env) => await app.fetch(request, env),
    describe: async () => ({ paths: {}, components: {}, routes: [] }),
    close: async () => undefined,
  }
  return await invokedFunction(() => host, options)
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
