/** POST /tasks: stores the original, records the task together with its message, and answers. */
import { type Accepted, answerAccepted } from '#shared/answer-accepted.ts'
import { type AppContext, createApp, preferWait } from '#shared/http.ts'
import { WAIT_SECONDS_MAX } from '#shared/limits.ts'
import { acceptTask, replayTask } from './accept.ts'
import { bodyKind, refuseLength } from './body.ts'
import { idempotencyKey, reserve } from './idempotency.ts'
import { route } from './route.ts'

async function accept(c: AppContext): Promise<Accepted> {
  const { env } = c
  const request = c.req.raw
  const kind = await bodyKind(request, env.invocation.signal)
  refuseLength(request, kind, env.settings.inputBytesMax)
  const key = idempotencyKey(c.req.header('idempotency-key'))
  if (key === null) return await acceptTask(env, request, kind, null)
  const reservation = await reserve(env, key)
  return 'replay' in reservation
    ? await replayTask(env, request, kind, reservation.replay)
    : await acceptTask(env, request, kind, reservation.claim)
}

const app = createApp()

app.openapi(route, async (c) => {
  const accepted = await accept(c)
  const wait = preferWait(c.req.header('prefer'), WAIT_SECONDS_MAX)
  const { body, status, headers } = await answerAccepted(c.env, accepted, wait)
  return c.json(body, status, headers)
})

export default app
