/** Where a function's app runs: in this process, or in containers. invoke knows only this. */
import type { Bindings } from '#shared/bindings.ts'
import type { App } from '#shared/http.ts'
import { notStarted } from '#shared/not-started.ts'
import { describeApp, type Description } from '../console/describe.ts'

export interface FunctionHost {
  /** Imports the app and checks it; rejects with the reason why it cannot be served. */
  load(): Promise<void>
  /** Rejects with FunctionDied when its process ends first, with `notStarted` before. `task`: what its trigger names. */
  fetch(request: Request, env: Bindings, task?: string): Promise<Response>
  /** The app's part of the OpenAPI document. */
  describe(): Promise<Description>
  /** `tell` gets the outcome of each start: null, or why it failed. A host that loads once has none. */
  onStarted?(tell: (failure: unknown) => void): void
  /** Runs what comes next on the code as it is now. A host that cannot do that has no reload. */
  reload?(): Promise<void>
  close(): Promise<void>
}

/** A function's default export, or an error that says what was expected. `queue` and `timer` functions need `POST /`. */
export function checkApp(app: unknown, trigger: 'http' | 'queue' | 'timer'): App {
  if (typeof (app as Partial<App> | undefined)?.fetch !== 'function' || !Array.isArray((app as App).routes)) {
    throw new Error('index.ts must export a Hono app as its default: `export default createApp()…`')
  }
  const checked = app as App
  if (trigger !== 'http' && !checked.routes.some(({ method, path }) => method === 'POST' && path === '/')) {
    throw new Error(`index.ts of a ${trigger} function must answer POST /`)
  }
  return checked
}

/** The parser's own message does not say where code is wrong; its stack begins with file and line. */
export function messageOf(error: unknown): string {
  const place = error instanceof SyntaxError ? /^(?:file:\/\/)?(\/.*:\d+)\n/.exec(error.stack ?? '')?.[1] : undefined
  return (place === undefined ? '' : `${place}: `) + (error instanceof Error ? error.message : String(error))
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
  const refuse = (cause: unknown): Promise<never> => Promise.reject(notStarted(cause))
  return {
    load: async () => void (await load()),
    fetch: async (request, env) => await (app ?? (await load().catch(refuse))).fetch(request, env),
    describe: async () => describeApp(await load()),
    close: async () => {},
  }
}
