/** The task as JSON: waited for where that is preferred, and left out where the client has it. */
import { namesEtag, refuseChanged } from '#shared/conditional.ts'
import { type AppContext, preferWait } from '#shared/http.ts'
import { SECOND_MS, WAIT_SECONDS_MAX } from '#shared/limits.ts'
import { taskNotFound } from '#shared/read-task.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { taskBody } from '#shared/task-body.ts'
import { waitFor } from '#shared/wait.ts'

export async function answerTask(c: AppContext, found: Task): Promise<Response> {
  const { tasks, invocation } = c.env
  const wait = preferWait(c.req.header('prefer'), WAIT_SECONDS_MAX)
  let task: Task | null = found
  if (wait !== null && !isTerminal(task)) {
    task = await waitFor(tasks, task.id, invocation.signal, wait * SECOND_MS, isTerminal)
    if (!task) throw taskNotFound(found.id)
  }
  const { body, etag, lastModified } = await taskBody(task, c.env)
  refuseChanged(c.req.raw.headers, { etag, lastModified }, { Vary: 'Accept' })
  const headers: Record<string, string> = { ETag: etag, 'Cache-Control': 'no-cache', Vary: 'Accept' }
  if (wait !== null) headers['Preference-Applied'] = `wait=${wait}`
  if (namesEtag(c.req.header('if-none-match'), etag)) return new Response(null, { status: 304, headers })
  return new Response(body, { headers: { ...headers, 'Content-Type': 'application/json' } })
}
