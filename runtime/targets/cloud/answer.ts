/** A decision as the answer to a platform that pushes its events by HTTP, and reads the status alone. */
import type { Decision } from '#shared/decision.ts'
import { problemResponse, Problem } from '#shared/errors.ts'
import { SECOND_MS } from '#shared/limits.ts'

/**
 * What Knative Eventing delivers again (its `SelectiveRetry`), and every platform that knows but acknowledged and not:
 * it retries 404, 408, 409, 429 and 5xx, and obeys Retry-After on 429 and 503.
 */
const RETRIED_AS_IT_IS = (status: number): boolean => status === 429 || (status >= 500 && status <= 599)
const RETRIED_4XX: ReadonlySet<number> = new Set([404, 408, 409, 425, 429])

function isKept(status: number | null): status is number {
  return status !== null && status >= 400 && status < 500 && !RETRIED_4XX.has(status)
}

/** Without a body: a broker of Knative takes a body that is no CloudEvent for a failure, and delivers again. */
function empty(status: number, headers: Record<string, string> = {}): Response {
  return new Response(null, { status, headers })
}

/**
 * 204 for what is over. What is to come again has its status where that means so, else 503, and says when in
 * Retry-After. A dead message that nobody could bury keeps a status that is not retried: then the platform buries it.
 */
export function answerOf(decision: Decision): Response {
  if (decision.kind === 'ack') return empty(204)
  if (decision.kind === 'dead') {
    const { lastStatus } = decision.letter
    return empty(decision.buried ? 204 : isKept(lastStatus) ? lastStatus : 422)
  }
  const { status, afterMs } = decision
  const headers = { 'Retry-After': String(Math.ceil(afterMs / SECOND_MS)) }
  return empty(status && RETRIED_AS_IT_IS(status) ? status : 503, headers)
}

/** What came is no event that any function here takes. Never a 2xx: it would be gone unseen. */
export function refusalOf(error: unknown, instance: string): Response {
  if (error instanceof Problem) return problemResponse(error, { instance })
  return problemResponse(new Problem('internal-error', 'The event failed; the log has the reason.'), { instance })
}
