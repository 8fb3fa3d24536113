import type { Bindings } from '#shared/bindings.ts'
import { InvocationEnded } from '#shared/errors.ts'
import { createApp } from '#shared/http.ts'
import { checkOwner } from '#shared/owner.ts'
import { collectOrphans } from './collect.ts'
import { removeExpired } from './expire.ts'
import { resendDue } from './resend.ts'

type Step = (env: Bindings, now: number) => Promise<void>

const collect: Step = async (env, now) => {
  await checkOwner(env, now - env.settings.gcGraceMs)
  await collectOrphans(env, now)
}

const prune: Step = async ({ tasks }, now) => await tasks.prune(now)

/** The collector last: it has something to look at for as long as it is let. */
const STEPS: readonly Step[] = [resendDue, removeExpired, prune, collect]

const app = createApp()

// One tick of the timer; its body says nothing that is needed. What was due waits for a queue that is away; what expired
// need not, so no step waits for the one before to succeed.
app.post('/', async (c) => {
  const now = Date.now()
  const failed: unknown[] = []
  for (const step of STEPS) {
    try {
      await step(c.env, now)
    } catch (error) {
      if (error instanceof InvocationEnded) throw error
      if (failed.push(error) > 1) c.env.invocation.log.error('a further part of the sweep failed', { err: error })
    }
  }
  if (failed.length > 0) throw failed[0]
  return c.body(null, 204)
})

export default app
