import { isConditional, refuseChanged, refuseNamed } from '#shared/conditional.ts'
import { type AppContext, createApp } from '#shared/http.ts'
import { taskNotFound } from '#shared/read-task.ts'
import { removeTask } from '#shared/remove-task.ts'
import { TASK_ID } from '#shared/task.ts'
import { taskBody } from '#shared/task-body.ts'
import { route } from './route.ts'

/** By the store's own state: a cache may hold an older one. A task that is not there is 404, whatever was asked. */
async function refuseOther(c: AppContext, taskId: string): Promise<void> {
  const { headers } = c.req.raw
  const task = isConditional(headers) ? await c.env.tasks.get(taskId) : null
  if (!task) return
  const now = await taskBody(task, c.env)
  refuseChanged(headers, now)
  refuseNamed(headers, now)
}

const app = createApp()

app.openapi(route, async (c) => {
  const taskId = c.req.param('taskId')
  if (!TASK_ID.test(taskId)) throw taskNotFound(taskId)
  await refuseOther(c, taskId)
  if (!(await removeTask(c.env, taskId))) throw taskNotFound(taskId)
  c.env.invocation.taskId(taskId)
  return c.body(null, 204)
})

export default app
