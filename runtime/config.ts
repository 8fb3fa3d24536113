/** The environment, parsed once. The only reader of `process.env`: everything else is given its part of Config. */
import { z } from 'zod'
import { ConfigError } from '#shared/errors.ts'
import * as limits from '#shared/limits.ts'
import * as is from '../console/formats.ts'
import { LINK_TTL_MS, LOG_SPOOL_BYTES_MAX, TIMEOUT_MAX_MS } from './limits.ts'

const Environment = z.object({
  NODE_ENV: z.enum(['production', 'development', 'test']).default('development'),
  APP_VERSION: z.string().default('0.1.0'),
  WORKER_ID: z.string().optional(),
  SERVER_HOST: z.string().optional(),
  SERVER_PORT: is.integer(0, 65_535).default(3000),
  PORT: is.integer(0, 65_535).optional(),
  METRICS_PORT: is.integer(0, 65_535).optional(),
  FUNCTIONS: is.names.optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  STORAGE_INPUT_PATH: z.string().default('storage/images/input'),
  STORAGE_OUTPUT_PATH: z.string().default('storage/images/output'),
  SQLITE_FILE: z.string().default('storage/tasks.sqlite'),
  MONGODB_URI: is.serverUrl('mongodb', 'mongodb+srv').optional(),
  REDIS_URL: is.serverUrl('redis', 'rediss').optional(),
  REDIS_HOST: z.string().optional(),
  REDIS_PORT: is.integer(1, 65_535).default(6379),
  REDIS_PASSWORD: z.string().optional(),
  S3_BUCKET: z.string().optional(),
  S3_REGION: z.string().default('us-east-1'),
  S3_ENDPOINT: is.serverUrl('http', 'https').optional(),
  S3_PREFIX: is.keyPrefix.optional(),
  S3_PRESIGN: z.enum(['on', 'off']).default('on'),
  S3_ACCESS_KEY_ID: z.string().optional(),
  S3_SECRET_ACCESS_KEY: z.string().optional(),
  LOKI_URL: is.serverUrl('http', 'https').optional(),
  LOG_SPOOL_PATH: z.string().default('storage/logs'),
  LOG_SPOOL_BYTES_MAX: is.integer(limits.MIB).default(LOG_SPOOL_BYTES_MAX),
  OTEL_EXPORTER_OTLP_ENDPOINT: is.serverUrl('http', 'https').optional(),
  OTEL_SERVICE_NAME: is.serviceName.default('revela'),
  CONCURRENCY: is.integer(1, 64).optional(),
  MAX_RETRIES: is.integer(0, 100).optional(),
  QUEUE_PREFIX: is.queuePrefix.default(''),
  SQS_URL: is.serverUrl('http', 'https').optional(),
  GOOGLE_CLOUD_PROJECT: z.string().optional(),
  PUBSUB_EMULATOR_HOST: z.string().optional(),
  CLOUD_RUN_TIMEOUT_SECONDS: is.integer(1, 3_600).optional(),
  AZURE_STORAGE_CONNECTION_STRING: z.string().optional(),
  AZURE_HTTP_STREAM: z.enum(['on', 'off']).default('on'),
  K_SINK: is.serverUrl('http', 'https').optional(),
  K_CE_OVERRIDES: is.overrides.default({}),
  SINKS: is.sinks.default({}),
  API_KEY: is.secrets('keys', 8).optional(),
  AUTH: z.literal('platform').optional(),
  SIGNING_KEYS: is.secrets('keys', 16).optional(),
  LINK_TTL: is.duration.default(LINK_TTL_MS),
  PUBLIC_URL: is.publicUrl.optional(),
  WEBHOOK_SECRET: is.webhookSecrets.optional(),
  ALLOW_HOSTS: is.list.default([]),
  CORS_ORIGINS: is.origins.optional(),
  VARIANTS: is.presets.default({}),
  RATE_LIMIT: is.rateLimit.optional(),
  NEGOTIATE: z.enum(['on', 'off']).default('on'),
  INPUT_BYTES_MAX: is.integer(1).default(limits.INPUT_BYTES_MAX),
  INPUT_PIXELS_MAX: is.integer(1).default(limits.INPUT_PIXELS_MAX),
  OUTPUT_COST_MAX: is.integer(1).default(limits.OUTPUT_COST_MAX),
  TASK_TTL_DAYS: is.integer(1, is.YEARS_DAYS).optional(),
  GC_GRACE: is.duration.default(limits.GC_GRACE_MS),
  DRAIN_MS: is.integer(0, TIMEOUT_MAX_MS).optional(),
})

export type Config = z.infer<typeof Environment>

/**
 * Parses the environment; empty counts as unset, and a command may have defaults of its own for what is. Throws
 * ConfigError, one line for each bad variable.
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env, defaults: NodeJS.ProcessEnv = {}): Config {
  const known = Object.keys(Environment.shape)
  const valueOf = (name: string) => (env[name]?.trim() ? env[name] : defaults[name])
  const given = Object.fromEntries(known.map((name) => [name, valueOf(name)]))
  // Read once at a start: to compile the schema first costs more than all that it saves.
  const result = Environment.safeParse(given, { jitless: true })
  if (result.success) return result.data
  const secret = (name: string): boolean =>
    /KEY|SECRET|PASSWORD|MONGODB_URI|REDIS_URL|LOKI_URL|CONNECTION_STRING/.test(name)
  const lines = result.error.issues.map(({ path, message }) => {
    const name = String(path[0])
    return `${name}: ${message}${secret(name) ? '' : `, got ${JSON.stringify(given[name])}`}`
  })
  throw new ConfigError(lines.join('\n'))
}
