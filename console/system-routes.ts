/** The runtime's own paths: operations and documentation. */
import type { Registry } from 'prom-client'
import { Problem } from '#shared/errors.ts'
import type { Readiness } from './health.ts'

export interface SystemRoutes {
  has(path: string): boolean
  /** Health is answered to anyone, by any name. */
  isHealth(path: string): boolean
  needsKey(path: string): boolean
  /** Throws Problem `not-found`. */
  answer(path: string): Promise<Response>
}

export interface SystemOptions {
  ready: () => Promise<Readiness>
  registry: () => Promise<Registry>
  document: () => Promise<unknown>
}

const PLAIN = new Set(['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs', '/docs/'])

function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache' },
  })
}

export async function metricsResponse(registry: Registry): Promise<Response> {
  return new Response(await registry.metrics(), {
    headers: { 'Content-Type': registry.contentType, 'Cache-Control': 'no-store' },
  })
}

export function createSystemRoutes({ ready, registry, document }: SystemOptions): SystemRoutes {
  const page = async (path: string): Promise<Response | null> => {
    // Imported when someone reads the docs: no other request needs them.
    const docs = await import('./docs.ts')
    if (path === '/docs') return docs.docsPage()
    if (path === '/docs/') return new Response(null, { status: 308, headers: { Location: '../docs' } })
    if (path.startsWith('/docs/')) return docs.docsAsset(path.slice('/docs/'.length))
    return docs.problemPage(path.slice('/problems/'.length))
  }
  return {
    has: (path) => PLAIN.has(path) || path.startsWith('/docs/') || path.startsWith('/problems/'),
    isHealth: (path) => path === '/healthz' || path === '/readyz',
    needsKey: (path) => path === '/metrics',
    async answer(path) {
      if (path === '/healthz') return json({ status: 'ok' })
      if (path === '/readyz') {
        const { ready: isReady, body } = await ready()
        return json(body, isReady ? 200 : 503)
      }
      if (path === '/metrics') return await metricsResponse(await registry())
      if (path === '/openapi.json') return json(await document())
      const found = await page(path)
      if (!found) throw new Problem('not-found', `There is nothing at ${path}.`)
      return found
    },
  }
}
