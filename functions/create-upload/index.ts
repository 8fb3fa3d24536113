/** Large pictures by another way, and from whoever has no key: ask for a link, send the file to it, complete. */
import { answerAccepted } from '#shared/answer-accepted.ts'
import type { Bindings } from '#shared/bindings.ts'
import { Problem } from '#shared/errors.ts'
import { createApp, preferWait } from '#shared/http.ts'
import { WAIT_SECONDS_MAX } from '#shared/limits.ts'
import { askForUpload } from './ask.ts'
import { completeUpload } from './complete.ts'
import { askRoute, completeRoute, putRoute } from './route.ts'
import { takeUpload } from './take.ts'

/** A link opens its own upload; another one is asked for with a key. */
function refuseStrangers({ invocation }: Bindings, opened: 'by key' | 'by link'): void {
  const { kind } = invocation.caller
  if (kind !== 'anonymous' && (kind !== 'link' || opened === 'by link')) return
  const expected = opened === 'by key' ? 'an API key' : 'an API key or the signed link of the upload'
  const headers = { 'WWW-Authenticate': 'Bearer realm="revela"' }
  throw new Problem('unauthorized', `Expected ${expected}; none came.`, { headers })
}

const NO_STORE = { 'Cache-Control': 'no-store' }

const app = createApp()

app.openapi(askRoute, async (c) => {
  refuseStrangers(c.env, 'by key')
  return c.json(await askForUpload(c.req.raw, c.env), 201, NO_STORE)
})

app.openapi(putRoute, async (c) => {
  refuseStrangers(c.env, 'by link')
  await takeUpload(c.req.raw, c.env, c.req.param('taskId'))
  return c.body(null, 201, NO_STORE)
})

app.openapi(completeRoute, async (c) => {
  refuseStrangers(c.env, 'by link')
  const accepted = await completeUpload(c.env, c.req.param('taskId'))
  const wait = preferWait(c.req.header('prefer'), WAIT_SECONDS_MAX)
  const { body, status, headers } = await answerAccepted(c.env, accepted, wait)
  return c.json(body, status, headers)
})

export default app
