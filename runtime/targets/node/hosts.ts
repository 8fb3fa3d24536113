/** Chooses where each function runs, and watches the code in `npm run dev`. */
import { watch } from 'node:fs'
import { join, sep } from 'node:path'
import type { Config } from '../../config.ts'
import { effectiveConcurrency } from './command.ts'
import { storageOf } from '../../bindings.ts'
import { checkApp, type FunctionHost, inlineHost } from '../../host.ts'
import { DEV_CONTAINER_INVOCATIONS } from './limits.ts'
import { type FoundFunction, indexOf, type LoadedFunction, messageOf, type ResolvedConfig } from '../../loader.ts'
import type { RootLogger } from '../../logger.ts'
import type { Metrics } from '../../metrics.ts'
import { containerPool } from './pool.ts'
import { settingsOf } from '../../settings.ts'

// One save of an editor is several events.
const RELOAD_DELAY_MS = 50

/** CONCURRENCY and MAX_RETRIES are the seed's variables of the worker: they are for this function. */
const WORKER = 'process-image'

export function createHosts(
  config: Config,
  { dev, metrics, logger }: { dev: boolean; metrics: Metrics; logger: RootLogger },
) {
  const override = (name: string, own: ResolvedConfig): ResolvedConfig => {
    const { trigger } = own
    if (trigger.type !== 'queue') return own
    const asked = name === WORKER ? (config.CONCURRENCY ?? trigger.concurrency) : trigger.concurrency
    const concurrency = own.isolation === 'process' ? effectiveConcurrency(asked) : asked
    if (concurrency < asked)
      logger.info({ function: name, asked, concurrency }, 'concurrency is bounded by cores or memory')
    const maxAttempts =
      name === WORKER && config.MAX_RETRIES !== undefined ? config.MAX_RETRIES + 1 : trigger.maxAttempts
    return { ...own, trigger: { ...trigger, concurrency, maxAttempts } }
  }
  const hostFor = (fn: FoundFunction): FunctionHost => {
    const { trigger, isolation } = fn.config
    const index = indexOf(fn.folder)
    if (isolation === 'inline' && !dev) return inlineHost(index, (app) => checkApp(app, trigger.type))
    const init = {
      index,
      trigger: trigger.type,
      storage: storageOf(config),
      settings: settingsOf(config, fn.config),
    }
    const alone = isolation === 'process'
    return containerPool({
      init,
      max: alone && trigger.type !== 'timer' ? trigger.concurrency : 1,
      each: alone ? 1 : DEV_CONTAINER_INVOCATIONS,
      onStart: () => metrics.coldstarts.inc({ function: fn.name }),
      onCount: (alive) => metrics.containers.set({ function: fn.name }, alive),
    })
  }
  const reload = async (fn: LoadedFunction): Promise<void> => {
    try {
      await fn.host.reload?.()
      fn.error = null
      logger.info({ function: fn.name }, 'reloaded')
    } catch (error) {
      fn.error = messageOf(error)
      logger.error({ function: fn.name, reason: fn.error }, 'function is broken')
    }
  }
  /** A change in a function's folder reloads it, one in shared/ all. Returns what ends the watching. */
  const watchCode = (functions: readonly LoadedFunction[], folder: string): (() => void) => {
    const timers = new Map<LoadedFunction, NodeJS.Timeout>()
    const soon = (fn: LoadedFunction): void => {
      clearTimeout(timers.get(fn))
      timers.set(
        fn,
        setTimeout(() => void reload(fn), RELOAD_DELAY_MS),
      )
    }
    const isCode = (file: string | null): file is string =>
      file !== null && file.endsWith('.ts') && !file.endsWith('.test.ts')
    const own = watch(folder, { recursive: true }, (_event, file) => {
      if (!isCode(file)) return
      const fn = functions.find(({ name }) => name === file.split(sep)[0])
      if (fn) soon(fn)
    })
    const shared = watch(join(import.meta.dirname, '../../../shared'), { recursive: true }, (_event, file) => {
      if (isCode(file)) functions.forEach(soon)
    })
    return () => {
      own.close()
      shared.close()
      for (const timer of timers.values()) clearTimeout(timer)
    }
  }
  return { override, hostFor, watch: watchCode }
}
