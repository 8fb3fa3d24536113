/** Opens what functions are given in `c.env`: the stack that the environment names, and the storage beside it. */
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

/** The drivers that hang together: they share connections, and close in an order of their own. */
export type Stack = Omit<RuntimeBindings, 'blobs' | 'fetch' | 'links'>

/** A stack's file in stacks/, the only files that name drivers. */
export type OpenStack = (config: Config, options: OpenOptions) => Promise<Stack>

async function openStackOf({ MONGODB_URI, REDIS_URL, REDIS_HOST }: Config): Promise<OpenStack> {
  if (MONGODB_URI || REDIS_URL || REDIS_HOST) return (await import('./stacks/servers.ts')).openServers
  return (await import('./stacks/embedded.ts')).openEmbedded
}

export async function openBindings(
  config: Config,
  options: OpenOptions = {},
  openStack?: OpenStack,
): Promise<RuntimeBindings> {
  const open = openStack ?? (await openStackOf(config))
  const { openLinks } = await import('./stacks/links.ts')
  const { markStorage, openStorage, storageOf } = await import('./stacks/storage.ts')
  const where = storageOf(config)
  const storage = await openStorage(where)
  const stack = await open(config, options)
  const stopMarking = await markStorage(where, stack.tasks, options.onError ?? (() => undefined))
  const close = async (): Promise<void> => {
    stopMarking()
    await stack.close()
  }
  return { ...stack, ...storage, links: openLinks(config), close }
}
