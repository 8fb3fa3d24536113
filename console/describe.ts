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
