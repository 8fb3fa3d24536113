import { createApp } from '#shared/http.ts'
import { taskNotFound } from '#shared/read-task.ts'
import { removeTask } from '#shared/remove-task.ts'
import { TASK_ID } from '#shared/task.ts'
import { route } from './route.ts'

const app = createApp()

app.openapi(route, async (c) => {
  const taskId = c.req.param('taskId')
  if (!TASK_ID.test(taskId) || !(await removeTask(c.env, taskId))) throw taskNotFound(taskId)
  c.env.invocation.taskId(taskId)
  return c.body(null, 204)
})

export default app
