import { createApp } from '#shared/http.ts'
import { collectOrphans } from './collect.ts'
import { removeExpired } from './expire.ts'
import { resendDue } from './resend.ts'

const app = createApp()

// One tick of the timer; its body says nothing that is needed.
app.post('/', async (c) => {
  const now = Date.now()
  await resendDue(c.env, now)
  await removeExpired(c.env, now)
  await collectOrphans(c.env, now)
  await c.env.tasks.prune(now)
  return c.body(null, 204)
})

export default app
