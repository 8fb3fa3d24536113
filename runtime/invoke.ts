/** The one way in: (function, Request, context) → Response. Every trigger and every target goes through here. */
import type { Settings } from '#shared/bindings.ts'
import { Problem, problemResponse } from '#shared/errors.ts'
import { NOT_RUN_HEADER } from '#shared/verdict.ts'
import { InvocationBindings, type OpenBindings } from './guard.ts'
import type { FunctionHost } from './host.ts'
import { FunctionDied, RunningInvocation, type InvocationContext } from './invocation.ts'
import { BUSY_RETRY_SECONDS } from './limits.ts'
import type { LoadedFunction } from './loader.ts'
import type { RootLogger } from './logger.ts'
import type { Metrics } from './metrics.ts'

export type Invoke = (fn: LoadedFunction, request: Request, context: InvocationContext) => Promise<Response>

export interface InvokeOptions {
  bindings: OpenBindings
  /** The settings a function may see: secrets only where its config names them. */
  settingsOf: (fn: LoadedFunction) => Settings
  logger: RootLogger
  metrics: Metrics
  publicUrl: string | undefined
}

/** The runtime's own 503: the function never ran, so a queue message loses no attempt by it. */
export function notRun(detail: string, instance: string, publicUrl: string | undefined): Response {
  const headers = { 'Retry-After': String(BUSY_RETRY_SECONDS), [NOT_RUN_HEADER]: '1' }
  return problemResponse(new Problem('unavailable', detail, { headers }), { publicUrl, instance })
}

function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('//') + 2)
  const query = url.indexOf('?', start)
  return query === -1 ? url.slice(start) : url.slice(start, query)
}

function asProblem(error: unknown): Problem {
  if (error instanceof FunctionDied)
    return new Problem('function-died', 'The function ended before it answered.', { cause: error })
  if (error instanceof Problem) return error
  return new Problem('internal-error', 'The function failed; the log has the reason.', { cause: error })
}

/** Whatever answers too late is not sent; its body must still be let go, or its file stays open. */
function discard(late: Promise<Response>): void {
  late
    .then(
      (response) => response.body?.cancel(),
      () => undefined,
    )
    .catch(() => undefined)
}

function answer(
  host: FunctionHost,
  request: Request,
  invocation: RunningInvocation,
  env: InvocationBindings,
  timeoutMs: number,
): Promise<Response | Problem> {
  return new Promise((resolve) => {
    const running = host.fetch(request, env)
    invocation.startDeadline(timeoutMs, () => {
      const late = invocation.bodyComplete
        ? new Problem('deadline-exceeded', `The function did not answer within ${timeoutMs} ms.`)
        : new Problem('request-timeout', `No byte of the body arrived for ${timeoutMs} ms.`, {
            headers: { Connection: 'close' },
          })
      invocation.end()
      discard(running)
      resolve(late)
    })
    running.then(resolve, (error: unknown) => resolve(asProblem(error)))
  })
}

export function createInvoke({ bindings, settingsOf, logger, metrics, publicUrl }: InvokeOptions): Invoke {
  const report = (fn: LoadedFunction, invocation: RunningInvocation, status: number, cause: unknown): void => {
    const ms = performance.now() - invocation.startedAt
    metrics.invocations.inc({ function: fn.name, trigger: fn.config.trigger.type, status })
    metrics.duration.observe({ function: fn.name }, ms / 1_000)
    if (status >= 500) metrics.errors.inc({ function: fn.name })
    if (status === 504) metrics.timeouts.inc({ function: fn.name })
    const line = { ...invocation.fields(), status, ms: Math.round(ms * 100) / 100, ...(cause ? { err: cause } : {}) }
    if (status >= 500) logger.error(line, 'invocation')
    else logger.info(line, 'invocation')
  }
  return async (fn, request, context) => {
    const instance = pathOf(request.url)
    if (fn.running >= fn.concurrency) return notRun(`${fn.name} has no free slot.`, instance, publicUrl)
    fn.running++
    metrics.inflight.inc({ function: fn.name })
    const invocation = new RunningInvocation(fn.name, request, context, logger, metrics)
    const env = new InvocationBindings(bindings, settingsOf(fn), invocation, invocation)
    try {
      const result = await answer(fn.host, request, invocation, env, fn.config.timeoutMs)
      const response = result instanceof Problem ? problemResponse(result, { publicUrl, instance }) : result
      report(fn, invocation, response.status, result instanceof Problem ? result.cause : null)
      return response
    } finally {
      invocation.stopDeadline()
      fn.running--
      metrics.inflight.dec({ function: fn.name })
    }
  }
}
