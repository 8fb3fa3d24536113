/** HTTP in, invocation out: routing, access, CORS, limits and the runtime's own headers, for every target alike. */
import type { RateLimit } from '#shared/edge.ts'
import { Problem, problemResponse } from '#shared/errors.ts'
import { NOT_RUN_HEADER, UNMATCHED_HEADER } from '#shared/verdict.ts'
import type { Access } from '../access.ts'
import type { SystemRoutes } from '../../console/system-routes.ts'
import type { Cors } from '../cors.ts'
import type { InvocationContext } from '../invocation.ts'
import { type Invoke, pathOf } from '../invoke.ts'
import type { LoadedFunction } from '../loader.ts'
import type { Streams } from '../streams.ts'
import { childTraceparent } from '../trace.ts'
import { createRouter } from './router.ts'

/** What a target knows of a request beside it. */
export interface HttpContext extends Pick<InvocationContext, 'bytesRead' | 'bodyComplete' | 'maxMs'> {
  /** The client's address, for RATE_LIMIT. */
  client: string
  /** Sets headers of the answer, of lower-case names; those of the Response win. Never copied into the function's Response. */
  setHeaders(headers: Record<string, string>): void
}

export type HttpHandler = (request: Request, context: HttpContext) => Promise<Response>

export interface HttpOptions {
  functions: readonly LoadedFunction[]
  invoke: Invoke
  access: Access
  cors: Cors
  rateLimit: RateLimit | null
  streams: Streams
  system: SystemRoutes
  publicUrl: string | undefined
  /** Called for what no function's code could turn into a problem. */
  onError: (error: unknown) => void
}

/** On every answer; the function's own win. */
export const SECURE_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

function notAllowed(path: string, method: string, allowed: readonly string[]): Problem {
  const headers = { Allow: allowed.join(', ') }
  return new Problem('method-not-allowed', `${path} answers ${headers.Allow}; ${method} came.`, { headers })
}

function lowerCase(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

/** A GET's answer without its body, which is let go: its file would stay open. */
async function headOf(response: Response): Promise<Response> {
  await response.body?.cancel().catch(() => undefined)
  return new Response(null, { status: response.status, headers: response.headers })
}

/** A Response that a function has from a fetch of its own cannot be changed: then its copy is. */
function changed(response: Response, change: (given: Response) => void): Response {
  try {
    change(response)
    return response
  } catch {
    const copy = new Response(response.body, response)
    change(copy)
    return copy
  }
}

export function createHttpHandler(options: HttpOptions): HttpHandler {
  const { invoke, access, cors, rateLimit, streams, system, publicUrl, onError } = options
  const route = createRouter(options.functions)

  const answerSystem = async (request: Request, path: string): Promise<Response> => {
    const { method } = request
    if (method !== 'GET' && method !== 'HEAD') throw notAllowed(path, method, ['GET', 'HEAD', 'OPTIONS'])
    if (system.needsKey(path)) access.callerOf(request, 'key')
    return await system.answer(path)
  }
  const answerOptions = (request: Request, path: string): Response => {
    const found = system.has(path) ? { allow: ['GET', 'HEAD', 'OPTIONS'] } : route('OPTIONS', path)
    if (!found || !('allow' in found)) throw new Problem('not-found', `There is nothing at ${path}.`)
    const origin = request.headers.get('origin')
    const headers = { Allow: found.allow.join(', '), ...(origin ? cors.headers(origin, found.allow) : {}) }
    return new Response(null, { status: 204, headers })
  }
  const answer = async (request: Request, path: string, context: HttpContext, traceparent: string) => {
    // A probe has no key and may use any name.
    if (!system.isHealth(path)) access.checkSite(request)
    if (request.method === 'OPTIONS') return answerOptions(request, path)
    if (system.has(path)) return await answerSystem(request, path)
    const match = route(request.method, path)
    if (!match) throw new Problem('not-found', `There is nothing at ${path}.`)
    if ('allow' in match) throw notAllowed(path, request.method, match.allow)
    if (rateLimit) context.setHeaders(lowerCase(await rateLimit(context.client)))
    const { trigger } = match.fn.config
    const caller = access.callerOf(request, trigger.type === 'http' ? trigger.auth : 'key')
    const { bytesRead, bodyComplete, maxMs } = context
    const { taskId } = match
    const response = await invoke(match.fn, request, { caller, traceparent, taskId, bytesRead, bodyComplete, maxMs })
    // Only who asks for events is looked at: reading a header makes a Response build all of them.
    return /text\/event-stream/i.test(request.headers.get('accept') ?? '') ? streams.admit(response) : response
  }
  const asResponse = (error: unknown, instance: string): Response => {
    if (error instanceof Problem) return problemResponse(error, { publicUrl, instance })
    onError(error)
    const problem = new Problem('internal-error', 'The request failed; the log has the reason.')
    return problemResponse(problem, { publicUrl, instance })
  }
  return async (request, context) => {
    const path = pathOf(request.url)
    const traceparent = childTraceparent(request.headers.get('traceparent'))
    context.setHeaders({ ...SECURE_HEADERS, traceparent })
    const origin = cors.active ? request.headers.get('origin') : null
    if (origin) context.setHeaders(lowerCase(cors.headers(origin)))
    const answered = await answer(request, path, context, traceparent).catch((error: unknown) =>
      asResponse(error, path),
    )
    const response = changed(answered, (given) => {
      if (origin || cors.listed) given.headers.append('Vary', 'Origin')
      if (given.status === 404) given.headers.delete(UNMATCHED_HEADER)
      if (given.status === 503) given.headers.delete(NOT_RUN_HEADER)
    })
    return request.method === 'HEAD' ? await headOf(response) : response
  }
}
