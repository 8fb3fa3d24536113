/** One app's part of the OpenAPI document, as plain data, so that it can cross a process. */
import type { App } from '#shared/http.ts'

export interface Description {
  paths: Record<string, Record<string, unknown>>
  components: Record<string, Record<string, unknown>>
  /** `POST /` and the like: what the router answers. */
  routes: string[]
}

export function describeApp(app: App): Description {
  const document = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: '', version: '' } })
  const routes = app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`)
  return {
    paths: (document.paths ?? {}) as Description['paths'],
    components: (document.components ?? {}) as Description['components'],
    routes: [...new Set(routes)],
  }
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
