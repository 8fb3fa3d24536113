/** HTTP in, invocation out: routing, access, CORS, limits and the runtime's own headers, for every target alike. */
import type { RateLimit } from '#shared/edge.ts'
import { Problem, problemResponse } from '#shared/errors.ts'
import type { Access } from '../access.ts'
import type { Cors } from '../cors.ts'
import type { InvocationContext } from '../invocation.ts'
import type { Invoke } from '../invoke.ts'
import type { LoadedFunction } from '../loader.ts'
import type { Streams } from '../streams.ts'
import type { SystemRoutes } from '../system-routes.ts'
import { childTraceparent } from '../trace.ts'
import { createRouter } from './router.ts'

/** What a target knows of a request beside it. */
export interface HttpContext extends Pick<InvocationContext, 'bytesRead' | 'bodyComplete'> {
  /** The client's address, for RATE_LIMIT. */
  client: string
  /** Sets a header of the answer; one of the same name in the Response wins. Never copied into the function's Response. */
  setHeader(name: string, value: string): void
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

const SECURE_HEADERS = Object.entries({
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
})

function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('//') + 2)
  const query = url.indexOf('?', start)
  return query === -1 ? url.slice(start) : url.slice(start, query)
}

/** A GET's answer without its body, which is let go: its file would stay open. */
async function headOf(response: Response): Promise<Response> {
  await response.body?.cancel()
  return new Response(null, { status: response.status, headers: response.headers })
}

export function createHttpHandler(options: HttpOptions): HttpHandler {
  const { invoke, access, cors, rateLimit, streams, system, publicUrl, onError } = options
  const route = createRouter(options.functions)

  const methodsOf = (path: string): string[] => {
    const found = route('OPTIONS', path)
    return system.has(path) ? ['GET', 'HEAD', 'OPTIONS'] : found && 'allow' in found ? [...new Set(found.allow)] : []
  }
  const options204 = (request: Request, path: string): Response => {
    const methods = methodsOf(path)
    if (methods.length === 0) throw new Problem('not-found', `There is nothing at ${path}.`)
    const origin = request.headers.get('origin')
    return new Response(null, {
      status: 204,
      headers: { Allow: methods.join(', '), ...(origin ? cors.preflight(origin, methods) : {}) },
    })
  }
  const respond = async (
    request: Request,
    path: string,
    context: HttpContext,
    traceparent: string,
  ): Promise<Response> => {
    if (system.isOpen(path)) return await system.answer(path, request)
    access.checkSite(request)
    if (request.method === 'OPTIONS') return options204(request, path)
    if (system.has(path)) {
      if (request.method !== 'GET' && request.method !== 'HEAD') throw notAllowed(path, request.method, methodsOf(path))
      if (system.needsKey(path)) access.callerOf(request, 'key')
      return await system.answer(path, request)
    }
    const match = route(request.method, path)
    if (!match) throw new Problem('not-found', `There is nothing at ${path}.`)
    if ('allow' in match) throw notAllowed(path, request.method, [...new Set(match.allow)])
    const { fn, params } = match
    if (rateLimit)
      for (const [name, value] of Object.entries(await rateLimit(context.client))) context.setHeader(name, value)
    const auth = fn.config.trigger.type === 'http' ? fn.config.trigger.auth : 'key'
    const caller = access.callerOf(request, auth)
    const { bytesRead, bodyComplete } = context
    const response = await invoke(fn, request, {
      caller,
      traceparent,
      taskId: params.taskId,
      ...(bytesRead && bodyComplete ? { bytesRead, bodyComplete } : {}),
    })
    return streams.admit(response, path)
  }
  return async (request, context) => {
    const path = pathOf(request.url)
    const traceparent = childTraceparent(request.headers.get('traceparent'))
    for (const [name, value] of SECURE_HEADERS) context.setHeader(name, value)
    context.setHeader('traceparent', traceparent)
    const origin = cors.active ? request.headers.get('origin') : null
    if (origin) for (const [name, value] of Object.entries(cors.headers(origin))) context.setHeader(name, value)
    const answered = await respond(request, path, context, traceparent).catch((error: unknown) => {
      if (!(error instanceof Problem)) onError(error)
      const problem =
        error instanceof Problem ? error : new Problem('internal-error', 'The request failed; the log has the reason.')
      return problemResponse(problem, { publicUrl, instance: path })
    })
    if (cors.active) answered.headers.append('Vary', 'Origin')
    return request.method === 'HEAD' ? await headOf(answered) : answered
  }
}

function notAllowed(path: string, method: string, allow: string[]): Problem {
  return new Problem('method-not-allowed', `${path} answers ${allow.join(', ')}; ${method} came.`, {
    headers: { Allow: allow.join(', ') },
  })
}
