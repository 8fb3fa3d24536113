/** Opens what functions are given in `c.env`, with the stack that is handed in. */
import type { QueueDriver } from '#shared/consumer.ts'
import type { LinkSigner, RateLimit } from '#shared/edge.ts'
import type { Config } from './config.ts'
import type { OpenBindings } from './guard.ts'

export interface RuntimeBindings extends OpenBindings {
  queue: QueueDriver
  links: LinkSigner
  /** Null where RATE_LIMIT is unset. */
  rateLimit: RateLimit | null
  close(): Promise<void>
}

export interface OpenOptions {
  /** Told of what fails beside any call: a queue that could not take a message, or note its verdict. */
  onError?: (error: unknown) => void
  /** How long a message that is worked on stays its worker's, without news of it. */
  leaseMs?: number
}

/** What hangs together: the drivers of a stack may share connections, and close in an order of their own. */
export type Stack = Omit<RuntimeBindings, 'links'>

/** A stack's file in stacks/, the only files that name drivers. Each imports its own alone, and so does what is built with it. */
export type OpenStack = (config: Config, options: OpenOptions) => Promise<Stack>

export type OpenRuntimeBindings = (config: Config, options?: OpenOptions) => Promise<RuntimeBindings>

export async function openBindings(
  config: Config,
  options: OpenOptions,
  openStack: OpenStack,
): Promise<RuntimeBindings> {
  const { openLinks } = await import('../stacks/links.ts')
  return { ...(await openStack(config, options)), links: openLinks(config) }
}
