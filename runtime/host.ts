/** Where a function's app runs: in this process, or in containers. invoke knows only this. */
import type { App } from '#shared/http.ts'
import type { InvocationBindings } from './guard.ts'
import { describeApp, type Description } from './describe.ts'

export interface FunctionHost {
  /** Imports the app and checks it; rejects with the reason why it cannot be served. */
  load(): Promise<void>
  /** Rejects with FunctionDied when the function's process ends first. */
  fetch(request: Request, env: InvocationBindings): Promise<Response>
  /** The app's part of the OpenAPI document. */
  describe(): Promise<Description>
  /** Runs what comes next on the code as it is now. A host that cannot do that has no reload. */
  reload?(): Promise<void>
  close(): Promise<void>
}

interface InlineModule {
  default?: App
}

/** Runs the app in this process. It can be told that it is too late, but not be stopped. */
export function inlineHost(index: string, check: (app: unknown) => App): FunctionHost {
  let loading: Promise<App> | undefined
  let app: App | undefined
  const load = async (): Promise<App> => {
    loading ??= (import(index) as Promise<InlineModule>).then((module) => (app = check(module.default)))
    return await loading
  }
  return {
    load: async () => void (await load()),
    fetch: async (request, env) => await (app ?? (await load())).fetch(request, env),
    describe: async () => describeApp(await load()),
    close: async () => {},
  }
}
