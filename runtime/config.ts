/** The environment, parsed once. The only reader of `process.env`: everything else is given its part of Config. */
import { z } from 'zod'
import * as limits from '#shared/limits.ts'
import { VARIANT_NAME } from '#shared/variant.ts'
import { LINK_TTL_MS, LOG_SPOOL_BYTES_MAX, TIMEOUT_MAX_MS } from './limits.ts'

const YEARS_DAYS = 36_500
const { SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS } = limits
const UNIT_MS: Record<string, number> = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }

function expected<T>(what: string, read: (text: string) => T | undefined) {
  return z.string().transform((text, context): T => {
    const value = read(text.trim())
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: `expected ${what}` })
    return z.NEVER
  })
}

function integer(min: number, max = Number.MAX_SAFE_INTEGER) {
  const range = max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`
  return expected(range, (text) => {
    const value = Number(text)
    return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined
  })
}

const duration = expected(`a duration such as 30s, 10m, 12h or 7d, at most ${YEARS_DAYS}d`, (text) => {
  const [, amount, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  const ms = Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN)
  return ms > 0 && ms <= YEARS_DAYS * DAY_MS ? ms : undefined
})

const list = z.string().transform((text) => {
  const parts = text.split(',').map((part) => part.trim())
  return [...new Set(parts.filter((part) => part !== ''))]
})

const names = list.refine((parts) => parts.length > 0, 'expected names, separated by commas')

const publicUrl = expected('an http or https URL without query or fragment', (text) => {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const plain = /^https?:$/.test(url.protocol) && url.search === '' && url.hash === ''
  return plain ? url.href.replace(/\/$/, '') : undefined
})

// Not parsed further: a list of MongoDB hosts is no URL, and each driver says what it cannot read.
const serverUrl = (...schemes: string[]) =>
  z.string().refine((text) => schemes.includes(text.split('://')[0]!), `expected ${schemes.join(':// or ')}://…`)

const presets = expected('names and boxes such as thumb=200x200:cover,wide=1600x', (text) => {
  const pairs = text.split(',').map((pair) => pair.trim().split('='))
  const good = pairs.every(([name, box, more]) => VARIANT_NAME.test(name ?? '') && name !== 'original' && box && !more)
  return good ? Object.fromEntries(pairs as [string, string][]) : undefined
})

const rateLimit = expected('a number of requests and a time such as 100/1m', (text) => {
  const [, points, amount, unit] = /^(\d+)\/(\d+)?(s|m|h)$/.exec(text) ?? []
  const rate = { points: Number(points), durationMs: Number(amount ?? 1) * (UNIT_MS[unit ?? ''] ?? Number.NaN) }
  const isRate = rate.points > 0 && Number.isSafeInteger(rate.points) && rate.durationMs > 0
  return isRate && rate.durationMs <= TIMEOUT_MAX_MS ? rate : undefined
})

// A lone comma must not pass for keys: there would be none, and the server would be open.
const secrets = (name: string, min: number) =>
  list.refine(
    (keys) => keys.length > 0 && keys.every((key) => key.length >= min),
    `expected ${name} of at least ${min} characters, separated by commas`,
  )

const webhookSecrets = list.refine(
  (keys) => keys.length > 0 && keys.every((key) => /^whsec_[A-Za-z0-9+/=]{32,}$/.test(key)),
  'expected whsec_ and the base64 of at least 24 random bytes, several separated by commas',
)

const origins = list.refine(
  (given) => given.every((origin) => origin === '*' || URL.parse(origin)?.origin === origin),
  'expected origins such as https://app.example, separated by commas, or *',
)

const Environment = z.object({
  NODE_ENV: z.enum(['production', 'development', 'test']).default('development'),
  APP_VERSION: z.string().default('0.1.0'),
  WORKER_ID: z.string().optional(),
  SERVER_HOST: z.string().optional(),
  SERVER_PORT: integer(0, 65_535).default(3000),
  METRICS_PORT: integer(0, 65_535).optional(),
  FUNCTIONS: names.optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  STORAGE_INPUT_PATH: z.string().default('storage/images/input'),
  STORAGE_OUTPUT_PATH: z.string().default('storage/images/output'),
  SQLITE_FILE: z.string().default('storage/tasks.sqlite'),
  MONGODB_URI: serverUrl('mongodb', 'mongodb+srv').optional(),
  REDIS_URL: serverUrl('redis', 'rediss').optional(),
  REDIS_HOST: z.string().optional(),
  REDIS_PORT: integer(1, 65_535).default(6379),
  REDIS_PASSWORD: z.string().optional(),
  S3_BUCKET: z.string().optional(),
  S3_REGION: z.string().default('us-east-1'),
  S3_ENDPOINT: serverUrl('http', 'https').optional(),
  S3_ACCESS_KEY_ID: z.string().optional(),
  S3_SECRET_ACCESS_KEY: z.string().optional(),
  LOKI_URL: serverUrl('http', 'https').optional(),
  LOG_SPOOL_PATH: z.string().default('storage/logs'),
  LOG_SPOOL_BYTES_MAX: integer(limits.MIB).default(LOG_SPOOL_BYTES_MAX),
  OTEL_EXPORTER_OTLP_ENDPOINT: serverUrl('http', 'https').optional(),
  OTEL_SERVICE_NAME: expected('letters, digits, - and _', (text) => /^\w[\w-]{0,62}$/.exec(text)?.[0]).default(
    'revela',
  ),
  CONCURRENCY: integer(1, 64).optional(),
  MAX_RETRIES: integer(0, 100).optional(),
  API_KEY: secrets('keys', 8).optional(),
  AUTH: z.literal('platform').optional(),
  SIGNING_KEYS: secrets('keys', 16).optional(),
  LINK_TTL: duration.default(LINK_TTL_MS),
  PUBLIC_URL: publicUrl.optional(),
  WEBHOOK_SECRET: webhookSecrets.optional(),
  ALLOW_HOSTS: list.default([]),
  CORS_ORIGINS: origins.optional(),
  VARIANTS: presets.default({}),
  S3_PREFIX: z
    .string()
    .regex(/^[\w./-]+\/$/, 'expected a name with a slash at its end')
    .optional(),
  RATE_LIMIT: rateLimit.optional(),
  NEGOTIATE: z.enum(['on', 'off']).default('on'),
  INPUT_BYTES_MAX: integer(1).default(limits.INPUT_BYTES_MAX),
  INPUT_PIXELS_MAX: integer(1).default(limits.INPUT_PIXELS_MAX),
  OUTPUT_COST_MAX: integer(1).default(limits.OUTPUT_COST_MAX),
  TASK_TTL_DAYS: integer(1, YEARS_DAYS).optional(),
  GC_GRACE: duration.default(limits.GC_GRACE_MS),
  DRAIN_MS: integer(0, TIMEOUT_MAX_MS).optional(),
})

export type Config = z.infer<typeof Environment>

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Parses the environment; empty counts as unset. Throws ConfigError, one line for each bad variable. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  const known = Object.keys(Environment.shape)
  const given = Object.fromEntries(known.map((name) => [name, env[name]?.trim() === '' ? undefined : env[name]]))
  const result = Environment.safeParse(given)
  if (result.success) return result.data
  const secret = (name: string): boolean => /KEY|SECRET|PASSWORD|MONGODB_URI|REDIS_URL|LOKI_URL/.test(name)
  const lines = result.error.issues.map(({ path, message }) => {
    const name = String(path[0])
    return `${name}: ${message}${secret(name) ? '' : `, got ${JSON.stringify(given[name])}`}`
  })
  throw new ConfigError(lines.join('\n'))
}
