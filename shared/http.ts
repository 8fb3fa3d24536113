/** createApp: the one place where a function's validation faults and errors become problems. */
import { OpenAPIHono } from '@hono/zod-openapi'
import { type Context, Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { Env } from './bindings.ts'
import { InvocationEnded, Problem, problemResponse } from './errors.ts'
import { gatherFaults, issuesOf } from './options/faults.ts'
import { UNMATCHED_HEADER } from './verdict.ts'

export type App = OpenAPIHono<Env>
export type AppContext = Context<Env>

function asProblem(error: unknown): Problem | null {
  if (error instanceof Problem) return error
  if (!(error instanceof HTTPException)) return null
  // Thrown by the library before our code runs: a body that is no JSON, or a Content-Type that no schema names.
  if (error.status === 415) return new Problem('unsupported-media-type', error.message, { cause: error })
  if (error.status < 500) return new Problem('invalid-request', error.message, { cause: error })
  return null
}

export function answerProblem(c: AppContext, problem: Problem): Response {
  // As it was sent, not `c.req.path`: that is decoded and may hold anything, where `instance` is a URI reference.
  const instance = new URL(c.req.url).pathname
  return problemResponse(problem, { publicUrl: c.env.settings.publicUrl, instance })
}

/**
 * Hono answers HEAD with GET's Response and drops its body unread, with whatever that holds open. Here it is let go, in
 * an app of its own around the first one, so that no other method pays for it.
 */
function letGoOfHeads(app: App): void {
  const { fetch } = app
  let heads: Hono<Env> | undefined
  const headsOf = (): Hono<Env> => {
    const around = new Hono<Env>().use(async (c, next) => {
      await next()
      await c.res.body?.cancel().catch(() => undefined)
    })
    return around.route('/', app).notFound(unmatched)
  }
  app.fetch = (request, ...rest) =>
    request.method === 'HEAD' ? (heads ??= headsOf()).fetch(request, ...rest) : fetch(request, ...rest)
}

function unmatched(c: AppContext): Response {
  const response = answerProblem(c, new Problem('not-found', `There is nothing at ${c.req.path}.`))
  response.headers.set(UNMATCHED_HEADER, '1')
  return response
}

/** A Hono app that answers RFC 9457 problems for whatever goes wrong, and marks what its router does not know. */
export function createApp(): App {
  const app = new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (result.success) return undefined
      // The validator hands on what came; its type does not say so.
      const { data } = result as { data?: unknown }
      // A parameter or a header is pointed at by its name.
      const faults = gatherFaults(result.target === 'json' ? 'json' : 'text')
      for (const { path, detail } of issuesOf(result.error, data)) faults.add(path, detail)
      return faults.settle()
    },
  })
  app.onError((error, c) => {
    const problem = asProblem(error)
    if (problem) {
      if (problem.status >= 500) c.env.invocation.log.warn(problem.message, { err: problem.cause })
      return answerProblem(c, problem)
    }
    // The caller was already told; this only ends the function.
    if (!(error instanceof InvocationEnded)) c.env.invocation.log.error('function threw', { err: error })
    return answerProblem(c, new Problem('internal-error', 'The function failed; the log has the reason.'))
  })
  app.notFound(unmatched)
  letGoOfHeads(app)
  return app
}

/**
 * Between commas; those within quotes belong to a value. A quote that does not end takes the rest: what begins to match
 * does match, and nothing is read twice.
 */
const PREFERENCE = /(?:[^",]|"(?:\\[^]|[^"\\])*(?:"|\\?$))+/g

/**
 * `Prefer: wait=n` (RFC 7240 §2), in seconds up to `max`; null when it is not asked for. Of two the first counts; a value
 * that is no whole number is ignored, as the RFC says.
 */
export function preferWait(header: string | undefined, max: number): number | null {
  const preferences = header?.match(PREFERENCE) ?? []
  const first = preferences.find((preference) => /^\s*wait\s*(?:[=;]|$)/i.test(preference))
  const [, bare, quoted] = /^\s*wait\s*=\s*(?:(\d+)|"(\d+)")\s*(?:;|$)/i.exec(first ?? '') ?? []
  const seconds = bare ?? quoted
  return seconds === undefined ? null : Math.min(Number(seconds), max)
}
