import { namedQuality, parseAccept } from '#shared/accept.ts'
import { type AppContext, createApp } from '#shared/http.ts'
import { HEARTBEAT_MS } from '#shared/limits.ts'
import { readTaskFor } from '#shared/read-task.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { eventId, taskEvents } from './event-stream.ts'
import { route } from './route.ts'
import { answerTask } from './task-answer.ts'

/** Only a client that names the stream gets it: `*\/*` means JSON. */
function wantsEvents(accept: string | undefined): boolean {
  const ranges = parseAccept(accept)
  const stream = namedQuality(ranges, 'text/event-stream') ?? 0
  return stream > 0 && stream >= (namedQuality(ranges, 'application/json') ?? 0)
}

function answerEvents(c: AppContext, task: Task): Response {
  const { tasks, links, invocation } = c.env
  const headers = { 'Cache-Control': 'no-cache', 'X-Accel-Buffering': 'no', Vary: 'Accept' }
  const lastEventId = c.req.header('last-event-id')
  // EventSource reconnects whenever a stream ends; 204 is what stops it.
  if (isTerminal(task) && lastEventId === eventId(task)) return new Response(null, { status: 204, headers })
  const { caller, signal } = invocation
  const options = { tasks, links, caller, task, lastEventId, signal, heartbeatMs: HEARTBEAT_MS }
  const body = c.req.method === 'HEAD' ? null : taskEvents(options)
  return new Response(body, { headers: { ...headers, 'Content-Type': 'text/event-stream' } })
}

const app = createApp()

app.openapi(route, async (c) => {
  const task = await readTaskFor(c.env, c.req.param('taskId'))
  return wantsEvents(c.req.header('accept')) ? answerEvents(c, task) : await answerTask(c, task)
})

export default app
