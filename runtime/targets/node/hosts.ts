/** Chooses where each function runs, and what the environment changes in its config. */
import type { Config } from '../../config.ts'
import { checkApp, type FunctionHost, inlineHost, messageOf } from '../../host.ts'
import { type FoundFunction, indexOf, type LoadedFunction, type ResolvedConfig } from '../../loader.ts'
import type { RootLogger } from '../../../console/logger.ts'
import type { Metrics } from '../../../console/metrics.ts'
import { settingsOf } from '../../settings.ts'
import { storageOf } from '../../../stacks/storage.ts'
import { overrideConfig } from '../override.ts'
import { effectiveConcurrency } from './command.ts'
import { containerHost } from './container-host.ts'
import { DEV_CONTAINER_INVOCATIONS } from './limits.ts'
import { watchCode } from './watch-code.ts'

export interface HostsOptions {
  dev: boolean
  metrics: Metrics
  logger: RootLogger
}

export function createHosts(config: Config, { dev, metrics, logger }: HostsOptions) {
  const override = (name: string, own: ResolvedConfig): ResolvedConfig => {
    const resolved = overrideConfig(name, own, config, effectiveConcurrency)
    if (resolved.trigger.type === 'queue' && own.isolation === 'process') {
      logger.info({ function: name, concurrency: resolved.trigger.concurrency }, 'containers at most')
    }
    return resolved
  }
  const hostFor = (fn: FoundFunction): FunctionHost => {
    const { trigger, isolation } = fn.config
    const index = indexOf(fn.folder)
    if (isolation === 'inline' && !dev) return inlineHost(index, (app) => checkApp(app, trigger.type))
    const alone = isolation === 'process'
    return containerHost({
      init: { index, trigger: trigger.type, storage: storageOf(config), settings: settingsOf(config, fn.config) },
      allowed: alone ? fn.config.calls : 'all',
      max: alone && trigger.type !== 'timer' ? trigger.concurrency : 1,
      each: alone ? 1 : DEV_CONTAINER_INVOCATIONS,
      // In development code is what ends a container; an open event stream must not hold up a worn one.
      ...(alone ? {} : { invocationsMax: Infinity }),
      onStart: () => metrics.coldstart(fn.name),
      onCount: (alive) => metrics.containers(fn.name, alive),
    })
  }
  const reload = async (fn: LoadedFunction): Promise<void> => {
    try {
      await fn.host.reload?.()
      logger.info({ function: fn.name }, 'reloaded')
    } catch (error) {
      logger.error({ function: fn.name, reason: messageOf(error) }, 'function is broken')
    }
  }
  const sayStale = (name: string): void => {
    if (config.FUNCTIONS?.includes(name) === false) return
    logger.warn({ function: name }, 'config.ts is read at the start alone: restart to serve it as it is now')
  }
  return {
    override,
    hostFor,
    watch: (functions: readonly LoadedFunction[], folder: string): (() => void) =>
      watchCode({ functions, folder, onCode: (fn) => void reload(fn), onConfig: sayStale }),
  }
}
