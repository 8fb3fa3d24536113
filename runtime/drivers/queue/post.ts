/** One message out by HTTP. */
import { unavailable } from '#shared/errors.ts'
import { SECOND_MS } from '#shared/limits.ts'

/** How long a queue may take for one message. */
const SEND_MS = 10 * SECOND_MS
/** Characters of a refusal that the log shows. */
const REFUSAL_CHARS = 300

export interface Posted {
  headers: Record<string, string>
  body: string
}

async function once(url: string, { headers, body }: Posted): Promise<Response> {
  return await fetch(url, { method: 'POST', headers, body, redirect: 'error', signal: AbortSignal.timeout(SEND_MS) })
}

/** A paused instance wakes up with connections that their peers have closed: one such failure is no outage. */
async function twice(url: string, posted: Posted): Promise<Response> {
  try {
    return await once(url, posted)
  } catch (error) {
    if (error instanceof DOMException) throw error
    return await once(url, posted)
  }
}

/** Resolves on a 2xx; rejects with Problem `unavailable`, whose cause says what came instead. */
export async function post(url: string, posted: Posted): Promise<void> {
  const response = await twice(url, posted).catch((cause: unknown) => {
    throw unavailable('queue', cause)
  })
  const text = await response.text().catch(() => '')
  if (response.ok) return
  const cause = new Error(`${new URL(url).host} answered ${response.status}: ${text.slice(0, REFUSAL_CHARS)}`)
  throw unavailable('queue', cause)
}
