/** Which function answers a method and path, from the configs alone. */
import type { LoadedFunction } from '../loader.ts'

export interface Match {
  fn: LoadedFunction
  /** Values of the path's parameters, as sent (percent-encoded). */
  params: Record<string, string>
}

export type Routing = Match | { allow: string[] } | null

interface Entry {
  method: string
  segments: string[]
  fn: LoadedFunction
}

function matchSegments(pattern: readonly string[], path: readonly string[]): Record<string, string> | null {
  const params: Record<string, string> = {}
  for (const [index, segment] of pattern.entries()) {
    const value = path[index]!
    if (segment.startsWith('{')) {
      if (value === '') return null
      params[segment.slice(1, -1)] = value
    } else if (segment !== value) return null
  }
  return params
}

/** HEAD is answered by GET's function. A known path with another method gives the methods that it has. */
export function createRouter(functions: readonly LoadedFunction[]): (method: string, path: string) => Routing {
  const bySize = new Map<number, Entry[]>()
  for (const fn of functions) {
    if (fn.config.trigger.type !== 'http') continue
    for (const route of fn.config.trigger.routes) {
      const [method, path] = route.split(' ') as [string, string]
      const segments = path.split('/')
      bySize.set(segments.length, [...(bySize.get(segments.length) ?? []), { method, segments, fn }])
    }
  }
  return (method, path) => {
    const segments = path.split('/')
    const wanted = method === 'HEAD' ? 'GET' : method
    const allow: string[] = []
    for (const entry of bySize.get(segments.length) ?? []) {
      const params = matchSegments(entry.segments, segments)
      if (!params) continue
      if (entry.method === wanted) return { fn: entry.fn, params }
      allow.push(...(entry.method === 'GET' ? ['GET', 'HEAD'] : [entry.method]))
    }
    return allow.length > 0 ? { allow: [...allow, 'OPTIONS'] } : null
  }
}
