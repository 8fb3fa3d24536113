/**
 * No cache: each read is a miss. For many instances with nothing that they share: a cache in the memory of one would
 * serve what another has deleted.
 */
import type { Cache } from '#shared/bindings.ts'

export function noCache(): Cache {
  return { get: async () => undefined, add: async () => {}, set: async () => {} }
}
