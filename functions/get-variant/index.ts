import { createApp } from '#shared/http.ts'
import { readTaskFor } from '#shared/read-task.ts'
import { answerOriginal } from './original-answer.ts'
import { originalRoute, variantRoute } from './route.ts'
import { answerVariant } from './variant-answer.ts'

const app = createApp()

app.openapi(variantRoute, async (c) => {
  const { format, wait = 0 } = c.req.valid('query')
  const task = await readTaskFor(c.env, c.req.param('taskId'))
  return await answerVariant(c, task, { variant: c.req.param('variant'), format, waitSeconds: wait })
})

app.openapi(originalRoute, async (c) => {
  const { wait = 0 } = c.req.valid('query')
  return await answerOriginal(c, await readTaskFor(c.env, c.req.param('taskId')), wait)
})

export default app
