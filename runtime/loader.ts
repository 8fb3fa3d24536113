/** Finds the functions: each folder with config.ts and index.ts. A broken one is named, and the others still run. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { BACKOFF_DEFAULT } from '#shared/consumer.ts'
import type { FunctionConfig, Isolation } from '#shared/function.ts'
import type { FunctionHost } from './host.ts'
import { HTTP_CONCURRENCY } from './limits.ts'

const trigger = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('http'),
    routes: z
      .array(z.string().regex(/^(GET|POST|PUT|PATCH|DELETE) \/\S*$/, 'expected a route such as GET /tasks/{taskId}'))
      .min(1),
    auth: z.enum(['key', 'link']).default('key'),
    concurrency: z.int().min(1).default(HTTP_CONCURRENCY),
  }),
  z.strictObject({
    type: z.literal('queue'),
    queue: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected a queue name of a-z, 0-9 and dashes'),
    concurrency: z.int().min(1),
    maxAttempts: z.int().min(1),
    backoff: z
      .strictObject({ initialMs: z.int().min(1), factor: z.number().min(1), maxMs: z.int().min(1) })
      .default(BACKOFF_DEFAULT),
  }),
  z
    .strictObject({ type: z.literal('timer'), everyMs: z.int().min(100).optional(), cron: z.string().optional() })
    .refine(({ everyMs, cron }) => (everyMs === undefined) !== (cron === undefined), 'expected either everyMs or cron'),
])

const Schema = z.strictObject({
  trigger,
  timeoutMs: z.int().min(1),
  isolation: z.enum(['inline', 'process']).default('inline'),
  secrets: z.array(z.enum(['webhook'])).default([]),
})

/** A FunctionConfig with every default filled in and the environment's overrides applied. */
export type ResolvedConfig = z.infer<typeof Schema>

export interface LoadedFunction {
  name: string
  folder: string
  config: ResolvedConfig
  host: FunctionHost
  /** Slots for invocations at once, and those taken. */
  concurrency: number
  running: number
  /** Why it cannot run; the first failure of its index.ts is set here when it is loaded. */
  error: string | null
}

export interface BrokenFunction {
  name: string
  error: string
}

export interface Discovery {
  functions: LoadedFunction[]
  broken: BrokenFunction[]
}

export interface DiscoverOptions {
  folder: string
  /** FUNCTIONS; all when undefined. */
  names?: readonly string[] | undefined
  hostFor: (fn: { name: string; folder: string; config: ResolvedConfig }) => FunctionHost
  /** What the environment changes in a config, by function. */
  override?: (name: string, config: ResolvedConfig) => ResolvedConfig
}

export function checkConfig(config: unknown): ResolvedConfig {
  const result = Schema.safeParse(config)
  if (result.success) return result.data
  const faults = result.error.issues.map(
    ({ path, message }) => `${path.map(String).join('.') || 'default export'}: ${message}`,
  )
  throw new Error(`config.ts: ${faults.join('; ')}`)
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function names({ folder, names: wanted }: DiscoverOptions): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const found = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort()
  return wanted ? [...wanted] : found
}

/** Reads the configs alone: of the apps, nothing is imported here. */
export async function discover(options: DiscoverOptions): Promise<Discovery> {
  const functions: LoadedFunction[] = []
  const broken: BrokenFunction[] = []
  for (const name of await names(options)) {
    const folder = join(options.folder, name)
    try {
      const module = (await import(pathToFileURL(join(folder, 'config.ts')).href)) as { default?: FunctionConfig }
      const own = checkConfig(module.default)
      const config = options.override?.(name, own) ?? own
      const slots = config.trigger.type === 'timer' ? 1 : config.trigger.concurrency
      functions.push({
        name,
        folder,
        config,
        host: options.hostFor({ name, folder, config }),
        concurrency: slots,
        running: 0,
        error: null,
      })
    } catch (error) {
      broken.push({ name, error: messageOf(error) })
    }
  }
  return { functions, broken }
}

export function indexOf(folder: string): string {
  return pathToFileURL(join(folder, 'index.ts')).href
}

export type { Isolation }
