/** The functions of a bundle: their code came with it, so that nothing is looked for when it starts. */
import type { FunctionConfig } from '#shared/function.ts'
import type { Config } from '../../config.ts'
import { describeApp } from '../../../console/describe.ts'
import { checkApp, type FunctionHost } from '../../host.ts'
import { messageOf } from '../../host.ts'
import { checkConfig, type Found, hosted } from '../../loader.ts'
import { overrideConfig } from '../override.ts'

export interface BundledFunction {
  name: string
  /** The default exports of config.ts and index.ts. */
  config: FunctionConfig
  app: unknown
}

function bundledHost(app: ReturnType<typeof checkApp>): FunctionHost {
  return {
    load: async () => undefined,
    fetch: async (request, env) => await app.fetch(request, env),
    describe: async () => describeApp(app),
    close: async () => undefined,
  }
}

/** Isolation is ignored: the platform is the container. FUNCTIONS names those of the bundle that are served. */
export function foundIn(bundle: readonly BundledFunction[], config: Config): Found {
  const found: Found = { functions: [], broken: [] }
  for (const { name, config: own, app } of bundle) {
    if (config.FUNCTIONS && !config.FUNCTIONS.includes(name)) continue
    try {
      const resolved = overrideConfig(name, checkConfig(own), config, (asked) => asked)
      const host = bundledHost(checkApp(app, resolved.trigger.type))
      found.functions.push(hosted({ name, folder: name, config: resolved }, host))
    } catch (error) {
      found.broken.push({ name, error: messageOf(error) })
    }
  }
  return found
}
