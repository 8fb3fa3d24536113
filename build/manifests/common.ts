/** What the manifests of all platforms take from a config. */
import { SECOND_MS } from '#shared/limits.ts'
import type { FoundFunction, ResolvedConfig } from '../../runtime/loader.ts'
import { UPLOAD_TOTAL_MS } from '../../runtime/limits.ts'
import { PLATFORM_MARGIN_MS } from '../../runtime/targets/cloud/limits.ts'
import { API } from '../parts.ts'

/** MB of what decodes pictures: at this size Lambda gives a whole core. And of all else. */
const PICTURES_MB = 1_769
const OTHER_MB = 512

export type QueueTrigger = Extract<ResolvedConfig['trigger'], { type: 'queue' }>

export interface QueueFunction extends FoundFunction {
  trigger: QueueTrigger
}

export function queuesIn(functions: readonly FoundFunction[]): QueueFunction[] {
  return functions.flatMap((fn) => (fn.config.trigger.type === 'queue' ? [{ ...fn, trigger: fn.config.trigger }] : []))
}

export function timersIn(functions: readonly FoundFunction[]): FoundFunction[] {
  return functions.filter(({ config }) => config.trigger.type === 'timer')
}

export function httpIn(functions: readonly FoundFunction[]): FoundFunction[] {
  return functions.filter(({ config }) => config.trigger.type === 'http')
}

/** The platform's own limit of a message or a tick: the function's timeout comes first, and still has time for its answer. */
export function timeoutSeconds({ config }: FoundFunction): number {
  return Math.ceil((config.timeoutMs + PLATFORM_MARGIN_MS) / SECOND_MS)
}

/**
 * The platform's limit of whatever these functions are sent. A request may take longer than its function: the function's
 * timeout counts from the last byte that arrived, and an upload may arrive for UPLOAD_TOTAL_MS.
 */
export function unitSeconds(functions: readonly FoundFunction[]): number {
  const uploadSeconds = httpIn(functions).length > 0 ? UPLOAD_TOTAL_MS / SECOND_MS : 0
  return Math.max(uploadSeconds, ...functions.map(timeoutSeconds))
}

export function isIsolated({ config }: FoundFunction): boolean {
  return config.isolation === 'process'
}

export function memoryMb(fn: FoundFunction): number {
  return isIsolated(fn) ? PICTURES_MB : OTHER_MB
}

/** Messages at once in one instance: an isolated function has its process to itself. */
export function messagesAtOnce(fn: QueueFunction): number {
  return isIsolated(fn) ? 1 : fn.trigger.concurrency
}

/** Deliveries after which the platform itself gives up: what a function gives up is on the dead-letter queue long before. */
export function deliveriesMax({ trigger }: QueueFunction): number {
  return 2 * (trigger.maxAttempts + 1)
}

/** What a platform deploys where it has no router of its own: all of HTTP behind one address, the rest each alone. */
export interface Unit {
  name: string
  functions: FoundFunction[]
}

export function unitsOf(functions: readonly FoundFunction[]): Unit[] {
  const http = httpIn(functions)
  const rest = functions.filter(({ config }) => config.trigger.type !== 'http')
  const alone = rest.map((fn): Unit => ({ name: fn.name, functions: [fn] }))
  return http.length === 0 ? alone : [{ name: API, functions: http }, ...alone]
}

/**
 * The secrets that these functions need, by the names of their variables. What is isolated holds hostile bytes: it gets
 * no key, answers nobody but its platform (AUTH=platform), and signs nothing. What answers clients takes a callback only
 * where its process could sign one; the runtime hands the secret itself to functions alone that name it.
 */
export function secretsOf(functions: readonly FoundFunction[]): string[] {
  if (functions.every(isIsolated)) return ['MONGODB_URI']
  const signs = functions.some(({ config }) => config.trigger.type === 'http' || config.secrets.includes('webhook'))
  return ['MONGODB_URI', 'API_KEY', 'SIGNING_KEYS', ...(signs ? ['WEBHOOK_SECRET'] : [])]
}

/** Without keys of its own a function is open to its platform alone. */
export function authOf(functions: readonly FoundFunction[]): Record<string, string> {
  return functions.every(isIsolated) ? { AUTH: 'platform' } : {}
}
