/** What the environment changes in a config, on every target. */
import type { Config } from '../config.ts'
import type { ResolvedConfig } from '../loader.ts'

/** CONCURRENCY and MAX_RETRIES are the seed's variables of the worker: they are for this function. */
const WORKER = 'process-image'

/** The environment's values for the worker; and of what is isolated no more at once than fits. */
export function overrideConfig(
  name: string,
  own: ResolvedConfig,
  { CONCURRENCY, MAX_RETRIES }: Pick<Config, 'CONCURRENCY' | 'MAX_RETRIES'>,
  fitting: (asked: number) => number,
): ResolvedConfig {
  const { trigger, isolation } = own
  if (trigger.type === 'timer') return own
  const asked = name === WORKER ? (CONCURRENCY ?? trigger.concurrency) : trigger.concurrency
  const concurrency = isolation === 'process' ? fitting(asked) : asked
  if (trigger.type === 'http') return { ...own, trigger: { ...trigger, concurrency } }
  const maxAttempts = name === WORKER && MAX_RETRIES !== undefined ? MAX_RETRIES + 1 : trigger.maxAttempts
  return { ...own, trigger: { ...trigger, concurrency, maxAttempts } }
}
