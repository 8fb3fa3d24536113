/** `task.settled`: tells a task's client how it ended, until it is told or given up. */
import type { Bindings } from '#shared/bindings.ts'
import { retryDelayMs } from '#shared/consumer.ts'
import { Problem } from '#shared/errors.ts'
import { createApp } from '#shared/http.ts'
import { CALLBACK_GIVE_UP_MS, CHECK_LEASE_MS, CHECK_MARGIN_MS } from '#shared/limits.ts'
import { readEvent } from '#shared/message.ts'
import { isTerminal, owesDiscard, TASK_ID } from '#shared/task.ts'
import config from './config.ts'
import { deliver } from './deliver.ts'

const { maxAttempts, backoff } = config.trigger

type Outcome = 'delivered' | 'failed' | 'nothing pending'

async function notify(env: Bindings, id: string, messageId: string): Promise<Outcome> {
  const { tasks, invocation } = env
  const task = await tasks.get(id)
  const callback = task?.callback
  if (!task || !isTerminal(task) || callback?.status !== 'pending') return 'nothing pending'
  const answer = await deliver(env, task, callback.url, messageId)
  const tried = { ...callback, attempts: callback.attempts + 1, lastStatus: answer.status }
  const now = Date.now()
  // Where the original went in the meantime, the sweeper finds that nothing is left.
  const afterwards = owesDiscard(task) ? now + CHECK_LEASE_MS : null
  if (answer.kind === 'delivered') {
    await tasks.recordCallback(id, { ...tried, status: 'delivered' }, afterwards)
    invocation.measure('callbacks_total', 1, { outcome: 'delivered' })
    return 'delivered'
  }
  const timeIsUp = now >= Date.parse(task.completedAt ?? task.createdAt) + CALLBACK_GIVE_UP_MS
  if (answer.kind === 'refused' || timeIsUp || tried.attempts >= maxAttempts) {
    await tasks.recordCallback(id, { ...tried, status: 'failed' }, afterwards)
    invocation.measure('callbacks_total', 1, { outcome: 'failed' })
    invocation.log.warn('callback given up', { reason: answer.reason, attempts: tried.attempts })
    return 'failed'
  }
  // By the tries that are recorded: a queue counts each message that the sweeper sends from one, or not at all. And no
  // earlier than the queue does, which counts a try that left no record.
  const longestMs = retryDelayMs(backoff, Math.max(tried.attempts, invocation.attempt), 1)
  // A receiver may ask for more time, never for less: it would use up its tries in a minute.
  const waitMs = Math.max(longestMs, answer.afterMs)
  const asked = answer.afterMs > longestMs || tried.attempts > invocation.attempt
  await tasks.recordCallback(id, tried, now + waitMs + CHECK_MARGIN_MS)
  invocation.measure('callbacks_total', 1, { outcome: 'retried' })
  throw new Problem('unavailable', `The callback was not taken: ${answer.reason}.`, {
    headers: asked ? { 'Retry-After': String(Math.ceil(waitMs / 1_000)) } : {},
  })
}

const app = createApp()

app.post('/', async (c) => {
  const { id, type, subject } = await readEvent(c.req.raw)
  if (type !== 'task.settled') throw new Problem('invalid-request', `Expected task.settled, got ${type}.`)
  if (!TASK_ID.test(subject)) throw new Problem('invalid-request', `Expected a task id as subject, got ${subject}.`)
  c.env.invocation.taskId(subject)
  return c.json({ outcome: await notify(c.env, subject, id) })
})

export default app
