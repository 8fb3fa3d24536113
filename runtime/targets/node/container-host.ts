/** Containers whose code is imported for the first of them: who asks a process that has just started does not wait for it. */
import { notStarted } from '#shared/not-started.ts'
import type { FunctionHost } from '../../host.ts'
import type { PoolOptions } from './pool.ts'

type OpenPool = (options: PoolOptions) => Promise<FunctionHost>

const openPool: OpenPool = async (options) => (await import('./pool.ts')).containerPool(options)

export function containerHost(options: PoolOptions, open = openPool): FunctionHost {
  let tell: (failure: unknown) => void = () => undefined
  let opening: Promise<FunctionHost> | undefined
  let opened: FunctionHost | undefined
  let closed = false

  const openOnce = async (): Promise<FunctionHost> => {
    const pool = await open(options)
    pool.onStarted?.((failure) => tell(failure))
    // Closed meanwhile, it says so to whoever asks for it, and starts nothing.
    if (closed) await pool.close()
    return (opened = pool)
  }
  const pool = async (): Promise<FunctionHost> =>
    await (opening ??= openOnce().catch((error: unknown) => {
      opening = undefined
      tell(error)
      throw error
    }))
  const refuse = (cause: unknown): Promise<never> => Promise.reject(notStarted(cause))

  return {
    load: async () => await (await pool()).load(),
    describe: async () => await (await pool()).describe(),
    fetch: async (request, env, task) => await (opened ?? (await pool().catch(refuse))).fetch(request, env, task),
    onStarted: (listener) => void (tell = listener),
    reload: async () => await (await pool()).reload?.(),
    async close() {
      closed = true
      // One that could not be opened has nothing to close, and must not end the drain.
      await (await opening?.catch(() => undefined))?.close()
    },
  }
}
