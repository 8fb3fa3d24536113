/** Which function answers a method and path, from the configs alone. */
import { RegExpRouter } from 'hono/router/reg-exp-router'
import { SmartRouter } from 'hono/router/smart-router'
import { TrieRouter } from 'hono/router/trie-router'
import type { LoadedFunction } from '../loader.ts'

export interface Match {
  fn: LoadedFunction
  /** As it stands in the path, where the route has one. */
  taskId: string | undefined
}

/** A known path with another method gives the methods that it has. */
export type Routing = Match | { allow: string[] } | null

/** HEAD is answered by GET's function. */
export function createRouter(functions: readonly LoadedFunction[]): (method: string, path: string) => Routing {
  const router = new SmartRouter<LoadedFunction>({ routers: [new RegExpRouter(), new TrieRouter()] })
  const methods = new Set<string>()
  for (const fn of functions) {
    if (fn.config.trigger.type !== 'http') continue
    for (const route of fn.config.trigger.routes) {
      const [method, path] = route.split(' ') as [string, string]
      router.add(method, path.replaceAll(/\{(\w+)\}/g, ':$1'), fn)
      methods.add(method)
    }
  }
  return (method, path) => {
    const [[found], stash] = router.match(method === 'HEAD' ? 'GET' : method, path)
    if (found) {
      // One router gives the value itself, another its place in what it matched.
      const { taskId } = found[1]
      return { fn: found[0], taskId: typeof taskId === 'number' ? stash?.[taskId] : taskId }
    }
    const allow = [...methods].filter((other) => router.match(other, path)[0].length > 0)
    const names = allow.flatMap((name) => (name === 'GET' ? ['GET', 'HEAD'] : [name]))
    return names.length > 0 ? { allow: [...names, 'OPTIONS'] } : null
  }
}
