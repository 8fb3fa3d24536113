/** What of the environment a function may see. */
import type { Settings } from '#shared/bindings.ts'
import { BACKOFF_DEFAULT } from '#shared/consumer.ts'
import { DAY_MS } from '#shared/limits.ts'
import type { Config } from './config.ts'
import type { ResolvedConfig } from './loader.ts'

/** Built once per function; secrets only where its config names them. */
export function settingsOf(config: Config, fn: ResolvedConfig): Settings {
  return {
    publicUrl: config.PUBLIC_URL,
    inputBytesMax: config.INPUT_BYTES_MAX,
    inputPixelsMax: config.INPUT_PIXELS_MAX,
    outputCostMax: config.OUTPUT_COST_MAX,
    presets: config.VARIANTS,
    taskTtlMs: config.TASK_TTL_DAYS === undefined ? null : config.TASK_TTL_DAYS * DAY_MS,
    gcGraceMs: config.GC_GRACE,
    negotiate: config.NEGOTIATE === 'on',
    keyed: config.API_KEY !== undefined,
    maxAttempts: fn.trigger.type === 'queue' ? fn.trigger.maxAttempts : 1,
    backoff: fn.trigger.type === 'queue' ? fn.trigger.backoff : BACKOFF_DEFAULT,
    callbacks: config.WEBHOOK_SECRET !== undefined,
    webhookSecrets: fn.secrets.includes('webhook') ? (config.WEBHOOK_SECRET ?? []) : [],
  }
}
