/** The one way in: (function, Request, context) → Response. Every trigger and every target goes through here. */
import type { Bindings, Settings } from '#shared/bindings.ts'
import { Problem, problemResponse, uncounted } from '#shared/errors.ts'
import { guardBindings, type OpenBindings } from './guard.ts'
import { FunctionDied, RunningInvocation, RuntimeClosing, type InvocationContext } from './invocation.ts'
import { BUSY_RETRY_SECONDS } from './limits.ts'
import type { LoadedFunction } from './loader.ts'
import type { RootLogger } from '../console/logger.ts'
import type { EndedInvocation, Metrics } from '../console/metrics.ts'

export type Invoke = (fn: LoadedFunction, request: Request, context: InvocationContext) => Promise<Response>

export interface InvokeOptions {
  bindings: OpenBindings
  /** The settings a function may see: secrets only where its config names them. */
  settingsOf: (fn: LoadedFunction) => Settings
  logger: RootLogger
  metrics: Metrics
  publicUrl: string | undefined
}

/** The path of an absolute URL, without building a URL object for it. */
export function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('//') + 2)
  const query = url.indexOf('?', start)
  return query === -1 ? url.slice(start) : url.slice(start, query)
}

/** The runtime's own 503: the function never ran, so a queue message loses no attempt by it. */
function noSlot(fn: LoadedFunction): Problem {
  return uncounted(new Problem('unavailable', `${fn.name} has no free slot.`), BUSY_RETRY_SECONDS)
}

function asProblem(cause: unknown): Problem {
  if (cause instanceof Problem) return cause
  if (cause instanceof FunctionDied) {
    return new Problem('function-died', 'The function ended before it answered.', { cause })
  }
  return new Problem('internal-error', 'The function failed; the log has the reason.', { cause })
}

/** Whatever answers too late is not sent; its body must still be let go, or its file stays open. */
function discard(late: Promise<Response>): void {
  late.then((response) => response.body?.cancel()).catch(() => undefined)
}

function tooLate(invocation: RunningInvocation, timeoutMs: number): Problem {
  if (invocation.bodyComplete) {
    return new Problem('deadline-exceeded', `The function did not answer within ${timeoutMs} ms.`)
  }
  const headers = { Connection: 'close' }
  return new Problem('request-timeout', `No byte of the body arrived for ${timeoutMs} ms.`, { headers })
}

/** The function's Response, or a Problem in its place; never rejects. */
function run(fn: LoadedFunction, request: Request, invocation: RunningInvocation, env: Bindings) {
  return new Promise<Response | Problem>((resolve) => {
    const timeoutMs = Math.min(fn.config.timeoutMs, invocation.maxMs)
    // Before the function begins: its first line may already ask for its deadline.
    invocation.startDeadline(timeoutMs, () => {
      const problem = tooLate(invocation, timeoutMs)
      invocation.end()
      discard(running)
      resolve(problem)
    })
    const running = fn.host.fetch(request, env, invocation.about)
    running.then(resolve, (error: unknown) => resolve(asProblem(error)))
  })
}

export function createInvoke({ bindings, settingsOf, logger, metrics, publicUrl }: InvokeOptions): Invoke {
  const bindingsOf = guardBindings(bindings)
  const report = (ended: EndedInvocation): void => {
    const { invocation, status, ms, err } = ended
    metrics.ended(ended)
    const line = { ...invocation.fields(), status, ms: Math.round(ms * 100) / 100, err }
    const failed = err instanceof RuntimeClosing ? 'warn' : 'error'
    logger[status >= 500 ? failed : 'info'](line, 'invocation')
  }
  return async (fn, request, context) => {
    const instance = pathOf(request.url)
    if (fn.running >= fn.concurrency) return problemResponse(noSlot(fn), { publicUrl, instance })
    fn.running++
    const invocation = new RunningInvocation(fn.name, request, context, logger, metrics)
    try {
      const result = await run(fn, request, invocation, bindingsOf(settingsOf(fn), invocation, invocation))
      const problem = result instanceof Problem ? result : null
      const response = problem ? problemResponse(problem, { publicUrl, instance }) : (result as Response)
      const ms = performance.now() - invocation.startedAt
      report({ fn, invocation, request, parent: context.parent, status: response.status, ms, err: problem?.cause })
      return response
    } finally {
      invocation.stopDeadline()
      fn.running--
    }
  }
}
