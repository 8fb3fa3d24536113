/** Finds the functions: each folder with config.ts and index.ts. A broken one is named, and the others still run. */
import { readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { CALLS } from '#shared/calls.ts'
import { BACKOFF_DEFAULT } from '#shared/consumer.ts'
import type { FunctionConfig } from '#shared/function.ts'
import { type FunctionHost, messageOf } from './host.ts'
import { HTTP_CONCURRENCY, TIMEOUT_MAX_MS } from './limits.ts'
import { scheduleOf } from './triggers/timer.ts'

export const QUEUE_NAME = /^[a-z][a-z0-9-]{0,62}$/

/** `.ts`, or that of what was built. */
const EXTENSION = extname(import.meta.filename)

const count = z.int().min(1)
const route = z.string().regex(/^(GET|POST|PUT|PATCH|DELETE) \/\S*$/, 'expected a route such as GET /tasks/{taskId}')
const queueName = z.string().regex(QUEUE_NAME, 'expected a queue name of a-z, 0-9 and dashes')
const backoff = z.strictObject({ initialMs: count, factor: z.number().min(1), maxMs: count })

const http = z.strictObject({
  type: z.literal('http'),
  routes: z.array(route).min(1),
  auth: z.enum(['key', 'link']).default('key'),
  concurrency: count.default(HTTP_CONCURRENCY),
})
const queue = z.strictObject({
  type: z.literal('queue'),
  queue: queueName,
  concurrency: count,
  maxAttempts: count,
  backoff: backoff.default(BACKOFF_DEFAULT),
})
const timer = z
  .strictObject({ type: z.literal('timer'), everyMs: z.int().min(100).optional(), cron: z.string().optional() })
  .refine(({ everyMs, cron }) => (everyMs === undefined) !== (cron === undefined), 'expected either everyMs or cron')

const Schema = z.strictObject({
  trigger: z.discriminatedUnion('type', [http, queue, timer]),
  timeoutMs: count.max(TIMEOUT_MAX_MS),
  isolation: z.enum(['inline', 'process']).default('inline'),
  secrets: z.array(z.enum(['webhook'])).default([]),
  calls: z.array(z.enum(CALLS)).default([]),
})

/** A FunctionConfig with every default filled in and the environment's overrides applied. */
export type ResolvedConfig = z.infer<typeof Schema>

/** What is known of a function before anything of it runs. */
export interface FoundFunction {
  name: string
  folder: string
  config: ResolvedConfig
}

export interface LoadedFunction extends FoundFunction {
  host: FunctionHost
  /** Slots for invocations at once, and those taken. */
  concurrency: number
  running: number
  /** How many invocations ended with each status. */
  answered: Map<number, number>
  /** Why it cannot run: the failure of its index.ts, or of its last start, once that was tried. */
  error: string | null
}

export interface BrokenFunction {
  name: string
  error: string
}

export interface Found {
  functions: LoadedFunction[]
  broken: BrokenFunction[]
}

export interface DiscoverOptions {
  folder: string
  /** FUNCTIONS; all when undefined. */
  names?: readonly string[] | undefined
  hostFor: (fn: FoundFunction) => FunctionHost
  /** What the environment changes in a config, by function. */
  override?: (name: string, config: ResolvedConfig) => ResolvedConfig
}

export function checkConfig(config: unknown): ResolvedConfig {
  // Read once at a start: to compile the schema first costs more than all that it saves.
  const result = Schema.safeParse(config, { jitless: true })
  if (result.success) return result.data
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.') || 'default export'}: ${message}`)
  throw new Error(`config.ts: ${faults.join('; ')}`)
}

async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  return folders.map(({ name }) => name).sort()
}

export function hosted(found: FoundFunction, host: FunctionHost): LoadedFunction {
  const { trigger } = found.config
  const concurrency = trigger.type === 'timer' ? 1 : trigger.concurrency
  return { ...found, host, concurrency, running: 0, answered: new Map(), error: null }
}

/** Here, not where its timer starts: what is wrong with a config stays wrong, whatever becomes of the code. */
async function checkSchedule({ trigger }: ResolvedConfig): Promise<void> {
  if (trigger.type !== 'timer') return
  await scheduleOf(trigger).catch((cause: unknown) => {
    throw new Error(`config.ts: trigger.cron: ${messageOf(cause)}`, { cause })
  })
}

/** Notes what is this function's alone: of two with one queue or one route, who gets what would be chance. */
function reserve(taken: Map<string, string>, { name, config: { trigger } }: FoundFunction): void {
  const queues = trigger.type === 'queue' ? [`the queue ${trigger.queue}`] : []
  const own = trigger.type === 'http' ? trigger.routes : queues
  const keyOf = (one: string): string => one.replaceAll(/\{\w+\}/g, '{}')
  const clash = own.find((one) => taken.has(keyOf(one)))
  if (clash !== undefined) throw new Error(`config.ts: ${clash} is ${taken.get(keyOf(clash))}'s already`)
  for (const one of own) taken.set(keyOf(one), name)
}

/** Reads the configs alone: of the apps, nothing is imported here. */
export async function discover({ folder, names, hostFor, override }: DiscoverOptions): Promise<Found> {
  const functions: LoadedFunction[] = []
  const broken: BrokenFunction[] = []
  const taken = new Map<string, string>()
  for (const name of names ?? (await namesIn(folder))) {
    try {
      const own = join(folder, name)
      const module = (await import(pathToFileURL(join(own, `config${EXTENSION}`)).href)) as { default?: FunctionConfig }
      const config = checkConfig(module.default)
      const found = { name, folder: own, config: override?.(name, config) ?? config }
      await checkSchedule(found.config)
      reserve(taken, found)
      functions.push(hosted(found, hostFor(found)))
    } catch (error) {
      broken.push({ name, error: messageOf(error) })
    }
  }
  return { functions, broken }
}

export function indexOf(folder: string): string {
  return pathToFileURL(join(folder, `index${EXTENSION}`)).href
}
