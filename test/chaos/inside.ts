/** Faults within a function, wherever it runs: what a container calls itself, the runtime's own bindings never see. */
import type { Bindings } from '#shared/bindings.ts'
import type { App } from '#shared/http.ts'
import { type CrashPoint, faultsAt } from './crash.ts'

/** The app, with points at which the process that runs it dies. */
export function withFaults(app: App, points: readonly CrashPoint[]): App {
  const faults = faultsAt(points)
  const faulty = (env: Bindings): Bindings =>
    new Proxy(env, {
      get: (target, name) => {
        const binding = Reflect.get(target, name) as object
        return name === 'tasks' || name === 'blobs' ? faults.on(name, binding) : binding
      },
    })
  const fetch: App['fetch'] = (request, env, context) => app.fetch(request, faulty(env as Bindings), context)
  return new Proxy(app, {
    get: (target, property) => {
      if (property === 'fetch') return fetch
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
