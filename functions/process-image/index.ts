/** Messages about pictures: `task.created` makes a task's variants, `variant.wanted` another encoding of one. */
import { Problem } from '#shared/errors.ts'
import { createApp } from '#shared/http.ts'
import { readEvent } from '#shared/message.ts'
import { TASK_ID } from '#shared/task.ts'
import { deriveVariant } from './derive.ts'
import { finishTask } from './finish.ts'

const app = createApp()

app.post('/', async (c) => {
  const { type, subject, data } = await readEvent(c.req.raw)
  if (!TASK_ID.test(subject)) throw new Problem('invalid-request', `Expected a task id as subject, got ${subject}.`)
  c.env.invocation.taskId(subject)
  switch (type) {
    case 'task.created':
      return c.json({ outcome: await finishTask(c.env, subject) })
    case 'variant.wanted':
      return c.json({ outcome: await deriveVariant(c.env, subject, data) })
    default:
      throw new Problem('invalid-request', `Expected task.created or variant.wanted, got ${type}.`)
  }
})

export default app
