/** The task as JSON: waited for where that is preferred, and left out where the client has it. */
import { createHash } from 'node:crypto'
import { namesEtag } from '#shared/conditional.ts'
import { type AppContext, preferWait } from '#shared/http.ts'
import { SECOND_MS, WAIT_SECONDS_MAX } from '#shared/limits.ts'
import { taskNotFound } from '#shared/read-task.ts'
import { represent } from '#shared/representation.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { waitFor } from '#shared/wait.ts'

/** Strong: the same tag is the same body, byte for byte, signed links and all. */
function etagOf(body: string): string {
  return `"${createHash('sha256').update(body).digest('base64url')}"`
}

export async function answerTask(c: AppContext, found: Task): Promise<Response> {
  const { tasks, links, invocation } = c.env
  const wait = preferWait(c.req.header('prefer'), WAIT_SECONDS_MAX)
  let task: Task | null = found
  if (wait !== null && !isTerminal(task)) {
    task = await waitFor(tasks, task.id, invocation.signal, wait * SECOND_MS, isTerminal)
    if (!task) throw taskNotFound(found.id)
  }
  const body = JSON.stringify(await represent(task, links, invocation.caller))
  const headers: Record<string, string> = { ETag: etagOf(body), 'Cache-Control': 'no-cache', Vary: 'Accept' }
  if (wait !== null) headers['Preference-Applied'] = `wait=${wait}`
  if (namesEtag(c.req.header('if-none-match'), headers.ETag!)) return new Response(null, { status: 304, headers })
  return new Response(body, { headers: { ...headers, 'Content-Type': 'application/json' } })
}
