/** One try at a callback. */
import type { Bindings } from '#shared/bindings.ts'
import { Problem } from '#shared/errors.ts'
import { CALLBACK_TRY_MS } from '#shared/limits.ts'
import { represent } from '#shared/representation.ts'
import type { Task } from '#shared/task.ts'
import { retryAfterMs } from '#shared/verdict.ts'
import { signedEvent } from './event.ts'

export type Answer =
  | { kind: 'delivered'; status: number }
  /** `status` null: there was no answer. `afterMs`: when the receiver asks to be tried again. */
  | { kind: 'failed'; status: number | null; afterMs: number; reason: string }
  /** No try will ever get through. */
  | { kind: 'refused'; status: number | null; reason: string }

function answerOf({ status, headers }: Response): Answer {
  if (status >= 200 && status < 300) return { kind: 'delivered', status }
  const reason = `the receiver answered ${status}`
  if (status === 410) return { kind: 'refused', status, reason }
  return { kind: 'failed', status, afterMs: retryAfterMs(headers.get('retry-after')) ?? 0, reason }
}

function faultOf(error: unknown): Answer {
  if (!(error instanceof Problem) || error.code === 'unavailable') throw error
  const reason = error.message
  if (error.code === 'url-not-allowed') return { kind: 'refused', status: null, reason }
  return { kind: 'failed', status: null, afterMs: 0, reason }
}

/** Rejects only where the try did not take place: the invocation ended, or a binding is away. */
export async function deliver(env: Bindings, task: Task, url: string, messageId: string): Promise<Answer> {
  const { settings, invocation } = env
  const { publicUrl, webhookSecrets: secrets } = settings
  if (publicUrl === undefined || secrets.length === 0) {
    const reason = 'PUBLIC_URL or WEBHOOK_SECRET is no longer set, and no callback is sent unsigned'
    return { kind: 'failed', status: null, afterMs: 0, reason }
  }
  // In the signed text a full stop ends the id.
  const id = messageId.replaceAll('.', '-')
  const event = signedEvent(await represent(task, env.links), { id, source: publicUrl, secrets, now: new Date() })
  const signal = AbortSignal.any([invocation.signal, AbortSignal.timeout(CALLBACK_TRY_MS)])
  try {
    const response = await env.fetch.request(url, { method: 'POST', ...event, signal })
    await response.body?.cancel()
    return answerOf(response)
  } catch (error) {
    invocation.signal.throwIfAborted()
    return faultOf(error)
  }
}
