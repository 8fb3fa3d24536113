/** What every cloud target puts its events into: the functions of a bundle, behind the HTTP edge, a queue or a timer. */
import { type QueueDriver, UNREADABLE } from '#shared/consumer.ts'
import { decide, type Decision } from '#shared/decision.ts'
import type { Message } from '#shared/message.ts'
import { openBindings, type OpenRuntimeBindings, type OpenStack } from '../../bindings.ts'
import type { Config } from '../../config.ts'
import { createMetrics } from '../../../console/metrics.ts'
import { type Core, openCore } from '../../core.ts'
import { endWaitsOf } from '../../guard.ts'
import type { LoadedFunction } from '../../loader.ts'
import { createLogger, type RootLogger } from '../../../console/logger.ts'
import { drain, type DrainOptions } from '../../shutdown.ts'
import type { HttpContext } from '../../triggers/http.ts'
import { deliver, reportDead, type RequestOf } from '../../triggers/queue.ts'
import { tick } from '../../triggers/timer.ts'
import { standingOf } from './standing.ts'
import { checkAuth } from './auth.ts'
import { warmUp } from './warm-up.ts'
import { type BundledFunction, foundIn } from './functions.ts'
import { PLATFORM_MARGIN_MS, WAIT_MAX_MS } from './limits.ts'
import { createWaits, type Waits } from './waits.ts'

export interface CloudOptions {
  /** All http functions of a bundle answer behind one `fetch`, each its own routes; a queue function by its queue. */
  functions: readonly BundledFunction[]
  config: Config
  openStack: OpenStack
  logger?: RootLogger
  /** The longest that a request may wait for a task; default WAIT_MAX_MS. */
  waitMaxMs?: number
}

/** What the platform says beside a request. */
export interface Arrival extends Pick<HttpContext, 'bytesRead' | 'bodyComplete'> {
  /** The client's address, for RATE_LIMIT. */
  client: string
  /** Until the platform gives up, in ms. */
  remainingMs: number
}

export interface Reception {
  /** How often the platform has handed the message out, this time included; null where it does not tell. */
  received: number | null
  remainingMs: number
  /** What the function takes, where the message came as an event that has more to it. */
  requestOf?: RequestOf
}

export interface CloudFunction {
  config: Config
  logger: RootLogger
  functions: readonly LoadedFunction[]
  queue: QueueDriver
  /** The queue function of this queue; throws where the bundle has none. */
  functionOf(queue: string): LoadedFunction
  /** Through the whole HTTP edge: site, key, route, CORS, limits, problems. The Response has every header in it. */
  fetch(request: Request, arrival: Arrival): Promise<Response>
  /**
   * One message to the function of its queue. A dead one is on `<queue>-dead` already where the queue driver can bury,
   * and is to be acknowledged; when burying fails, the decision is a retry.
   */
  deliver(message: Message, reception: Reception): Promise<Decision>
  /** What came on a queue and is no message: it goes to `<queue>-dead`, as text. Never acknowledged unseen. */
  refuse(queue: string, id: string, text: string): Promise<Decision>
  /**
   * One scheduled instant (Unix ms) of a timer, by name where the bundle has several. Rejects when the run failed: a
   * platform that tries again finds the instant taken.
   */
  tick(slot: number, remainingMs: number, timer?: string): Promise<void>
  /** For a target with a server of its own: what runs is answered within `ms`, then all is closed. */
  drain(servers: DrainOptions['servers'], ms: number): Promise<void>
  close(): Promise<void>
}

function maxOf(remainingMs: number): number {
  return Math.max(0, remainingMs - PLATFORM_MARGIN_MS)
}

/** Reported once it is buried, or left to the platform to bury. */
async function bury(core: Core, fn: LoadedFunction, decision: Decision): Promise<Decision> {
  if (decision.kind !== 'dead') return decision
  const { letter } = decision
  const { queue } = core.bindings
  const burying = queue.hasGrave?.(letter.message.queue) === false ? undefined : queue.bury?.(letter)
  try {
    await burying
  } catch (err) {
    core.logger.error({ err, message: letter.message.id }, 'dead letter not written')
    return { kind: 'retry', reason: 'dead letter not written', afterMs: 0, counted: false }
  }
  reportDead(fn, letter, core)
  return burying ? { ...decision, buried: true } : decision
}

function timerOf({ functions }: Core, name: string | undefined): LoadedFunction {
  const timers = functions.filter(({ config: { trigger } }) => trigger.type === 'timer')
  const [found, more] = name === undefined ? timers : timers.filter((fn) => fn.name === name)
  if (found && !more) return found
  throw new Error(
    `Expected one timer function${name === undefined ? '' : ` ${name}`}, got ${found ? 'several' : 'none'}.`,
  )
}

function edgeOf(core: Core, waits: Waits): CloudFunction['fetch'] {
  return async (request, { client, remainingMs, bytesRead, bodyComplete }) => {
    const headers = new Headers()
    const setHeaders = (beside: Record<string, string>): void => {
      for (const [name, value] of Object.entries(beside)) headers.set(name, value)
    }
    waits.prefer(request.headers, remainingMs)
    const context = { client, bytesRead, bodyComplete, maxMs: maxOf(remainingMs), setHeaders }
    const response = await waits.within(remainingMs, () => core.handler(request, context))
    for (const [name] of response.headers) headers.delete(name)
    // One by one: a Set-Cookie stays one of several.
    for (const [name, value] of response.headers) headers.append(name, value)
    return new Response(response.body, { status: response.status, headers })
  }
}

function queueEdgeOf(core: Core): Pick<CloudFunction, 'functionOf' | 'deliver' | 'refuse'> {
  const functionOf = (queue: string): LoadedFunction => {
    const fn = core.functions.find(({ config: { trigger } }) => trigger.type === 'queue' && trigger.queue === queue)
    if (!fn) throw new Error(`No function of this bundle takes messages of ${queue}.`)
    return fn
  }
  return {
    functionOf,
    async deliver(message, { received, remainingMs, requestOf }) {
      const fn = functionOf(message.queue)
      const { trigger } = fn.config
      if (trigger.type !== 'queue') throw new Error(`${fn.name} is no queue function.`)
      const maxMs = maxOf(remainingMs)
      if (maxMs === 0) return { kind: 'retry', reason: 'no time left', afterMs: 0, counted: false }
      const standing = await standingOf(core.bindings.tasks, message, received, trigger.maxAttempts)
      if ('heldMs' in standing) {
        return { kind: 'retry', reason: 'another delivery is at work', afterMs: standing.heldMs, counted: false }
      }
      const { attempt } = standing
      const verdict = await deliver(fn, { message, attempt }, core, maxMs, requestOf)
      return await bury(core, fn, decide(verdict, { message, attempt }, trigger))
    },
    async refuse(queue, id, text) {
      const reason = 'no CloudEvent with a subject'
      const diedAt = new Date().toISOString()
      const message: Message = { queue, id, type: UNREADABLE, subject: id, time: diedAt, data: text }
      const letter = { message, reason, attempts: 0, lastStatus: null, diedAt }
      return await bury(core, functionOf(queue), { kind: 'dead', letter })
    },
  }
}

/** Throws ConfigError without API_KEY or AUTH=platform, and Error for a function that cannot run. */
export async function openCloudFunction(options: CloudOptions): Promise<CloudFunction> {
  const { functions: bundle, config, openStack, waitMaxMs = WAIT_MAX_MS } = options
  const { logger = createLogger(config) } = options
  checkAuth(config)
  const found = foundIn(bundle, config)
  const [broken] = found.broken
  if (broken) throw new Error(`${broken.name}: ${broken.error}`)
  const waits = createWaits(waitMaxMs)
  const open: OpenRuntimeBindings = async (given, told = {}) => {
    const bindings = await openBindings(given, told, openStack)
    return { ...bindings, tasks: waits.cut(bindings.tasks) }
  }
  const core = await openCore(config, { logger, metrics: createMetrics(), find: async () => found, open })
  await warmUp(core.bindings.tasks)
  return {
    config,
    logger,
    functions: core.functions,
    queue: core.bindings.queue,
    fetch: edgeOf(core, waits),
    ...queueEdgeOf(core),
    async tick(slot, remainingMs, name) {
      const fn = timerOf(core, name)
      const done = await tick(fn, slot, core, maxOf(remainingMs))
      if (!done) throw new Error(`${fn.name} failed; the log has the reason.`)
    },
    async drain(servers, ms) {
      core.draining = true
      const endWaits = (): void => endWaitsOf(core.bindings.tasks)
      await drain({ ...core, servers, consumers: [], timers: [], endWaits, ms })
    },
    async close() {
      core.draining = true
      core.streams.end()
      endWaitsOf(core.bindings.tasks)
      await core.bindings.close()
    },
  }
}
