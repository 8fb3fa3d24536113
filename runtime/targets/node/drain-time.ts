/** How long a process of our own may take to end. */
import type { Config } from '../../config.ts'
import { DRAIN_MARGIN_MS, TIMEOUT_MAX_MS } from '../../limits.ts'
import type { LoadedFunction } from '../../loader.ts'

/** DRAIN_MS, or the longest timeout of a function and a margin. */
export function drainMs({ DRAIN_MS }: Pick<Config, 'DRAIN_MS'>, functions: readonly LoadedFunction[]): number {
  const longestMs = Math.max(0, ...functions.map(({ config: { timeoutMs } }) => timeoutMs))
  return DRAIN_MS ?? Math.min(longestMs + DRAIN_MARGIN_MS, TIMEOUT_MAX_MS)
}
