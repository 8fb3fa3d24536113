/** On machines of one's own: the stack that the environment names, and files in folders or in S3. */
import { openBindings, type OpenRuntimeBindings, type OpenStack, type Stack } from '../runtime/bindings.ts'
import type { Config } from '../runtime/config.ts'
import { markStorage, openStorage, storageOf } from './storage.ts'

/** Without the storage, which is the same beside each. */
export type OpenStores = (...given: Parameters<OpenStack>) => Promise<Omit<Stack, 'blobs' | 'fetch'>>

/** Each is loaded when it is chosen: a runtime on SQLite never reads the clients of servers. */
async function storesOf({ MONGODB_URI, REDIS_URL, REDIS_HOST }: Config): Promise<OpenStores> {
  if (MONGODB_URI || REDIS_URL || REDIS_HOST) return (await import('./servers.ts')).openServers
  return (await import('./embedded.ts')).openEmbedded
}

const openStack: OpenStack = async (config, options) => {
  const open = await storesOf(config)
  const where = storageOf(config)
  const storage = await openStorage(where)
  const stores = await open(config, options)
  const { onError = () => undefined } = options
  const parts = { tasks: stores.tasks, blobs: storage.blobs, onError, gcGraceMs: config.GC_GRACE }
  const stopMarking = await markStorage(where, parts)
  const close = async (): Promise<void> => {
    stopMarking()
    await stores.close()
  }
  return { ...stores, ...storage, close }
}

export const openLocal: OpenRuntimeBindings = async (config, options = {}) =>
  await openBindings(config, options, openStack)
