/** `task.created`: a task goes from its original to its end. */
import type { Bindings, Settlement, SettleOptions } from '#shared/bindings.ts'
import { retryDelayMs } from '#shared/consumer.ts'
import { Problem, uncounted } from '#shared/errors.ts'
import {
  CALLBACK_TRY_MS,
  CHECK_LEASE_MS,
  CHECK_MARGIN_MS,
  INTERRUPTIONS_MAX,
  RETRY_AFTER_MAX_MS,
  SECOND_MS,
  STORE_AWAY_GIVE_UP_MS,
} from '#shared/limits.ts'
import { taskSettled } from '#shared/message.ts'
import { isTerminal, owesDiscard, type Source, type Task, type TaskError } from '#shared/task.ts'
import { NOT_RUN_HEADER, retryAfterMs } from '#shared/verdict.ts'
import { PermanentFailure } from './failure.ts'
import { advance, type Hold, HoldLost, keeping } from './hold.ts'
import { fetchOriginal } from './source.ts'
import { makeVariants } from './variants.ts'

/** `lost`: the task is another delivery's, or gone; whoever is told so stops. */
export type Outcome = 'completed' | 'failed' | 'lost' | 'over'

/** What the sweeper looks after once the task has ended: its callback, and an original that is to go. */
function afterwards({ env, task }: Hold, result: Settlement): SettleOptions {
  const { settings, invocation } = env
  const ttlMs = settings.taskTtlMs
  const now = Date.now()
  if (task.callback?.status === 'pending') {
    const nextCheckAt = now + CALLBACK_TRY_MS + CHECK_MARGIN_MS
    return { ttlMs, message: taskSettled(task.id, invocation.traceparent), nextCheckAt }
  }
  return owesDiscard({ ...task, ...result }) ? { ttlMs, nextCheckAt: now + CHECK_LEASE_MS } : { ttlMs }
}

/** Nobody else removes what this delivery wrote after the task was deleted. */
async function leave({ env, task }: Hold): Promise<Outcome> {
  if ((await env.tasks.get(task.id)) === null) await env.blobs.deleteTask(task.id)
  return 'lost'
}

async function settle(hold: Hold, result: Settlement): Promise<Outcome> {
  const { env, task, fence } = hold
  if (!(await env.tasks.settle(task.id, fence, result, afterwards(hold, result)))) return await leave(hold)
  const code = result.status === 'failed' ? result.error.code : ''
  env.invocation.measure('tasks_total', 1, { outcome: result.status, code })
  return result.status
}

const STORE_AWAY_RETRY_MS = 30 * SECOND_MS

/**
 * What another try may mend; null for any other error. A store that is away says nothing of the picture, and may be so
 * for hours: that costs no attempt, and is waited for twice as long each time.
 */
function transientOf(error: unknown, task: Task): Problem | null {
  if (!(error instanceof Problem)) return null
  if (error.code === 'unavailable') {
    const waitMs = Math.min(RETRY_AFTER_MAX_MS, STORE_AWAY_RETRY_MS * 2 ** task.uncounted)
    return NOT_RUN_HEADER in error.headers ? error : uncounted(error, waitMs / SECOND_MS)
  }
  return error.code === 'source-unreachable' || error.code === 'source-timeout' ? error : null
}

/** @throws Problem `unavailable`, uncounted: a promise is kept, however long the blob store is away */
async function discardOriginal({ env, task }: Hold, source: Source): Promise<void> {
  if (task.options.original !== 'discard' || source.key === null) return
  await env.blobs.delete(source.key).catch((error: unknown) => {
    throw transientOf(error, task) ?? error
  })
  await env.tasks.discardOriginal(task.id)
}

async function work(hold: Hold): Promise<Outcome> {
  const { env, task } = hold
  // From here on no earlier try's reason is this one's, also where it is killed and can give none.
  if (task.lastError !== null) await advance(hold, { lastError: null })
  let { source } = task
  if (source.key === null && source.url !== null) {
    source = await fetchOriginal(env, task.id, source, source.url)
    await advance(hold, { source })
  }
  const made = await makeVariants(hold, source)
  const outcome = await settle(hold, { status: 'completed', ...made })
  if (outcome === 'completed') await discardOriginal(hold, source)
  return outcome
}

/** The longest that the queue may wait before it delivers again. */
function longestDelayMs(problem: Problem | null, { settings, invocation }: Bindings): number {
  const asked = retryAfterMs(problem?.headers['Retry-After'] ?? null) ?? 0
  return Math.max(asked, retryDelayMs(settings.backoff, invocation.attempt, 1))
}

function unknownReason(maxAttempts: number): TaskError {
  return { code: 'processing-failed', message: `The image could not be processed in ${maxAttempts} attempts.` }
}

/**
 * Leaves the sweeper to wait for as long as the queue may, and notes why, so that it is told when no try is left. That
 * there is a reason, known or not, says that nobody works on the task.
 */
async function expectAgain({ env, task, fence }: Hold, problem: Problem | null): Promise<void> {
  const nextCheckAt = Date.now() + longestDelayMs(problem, env) + CHECK_MARGIN_MS
  const { code, message } = problem ?? unknownReason(env.settings.maxAttempts)
  const isCounted = problem === null || !(NOT_RUN_HEADER in problem.headers)
  const change = { nextCheckAt, lastError: { code, message }, ...(isCounted ? {} : { uncounted: task.uncounted + 1 }) }
  // The store may be what is away; then the check that was set last stands.
  await env.tasks.advance(task.id, fence, change).catch(() => {})
}

/** Starts that never came back end it, and a store that has been away for a day. */
function isHopeless({ createdAt, deliveries, uncounted: away }: Task, maxAttempts: number): boolean {
  if (deliveries - away > maxAttempts + INTERRUPTIONS_MAX) return true
  return away > INTERRUPTIONS_MAX && Date.now() > Date.parse(createdAt) + STORE_AWAY_GIVE_UP_MS
}

/**
 * Safe to be delivered any number of times, at once too: the newest delivery's writes win, and files are written once.
 * @throws Problem `unavailable` where another try may help; anything that it does not know
 */
export async function finishTask(env: Bindings, id: string): Promise<Outcome> {
  const { tasks, settings, invocation } = env
  const { maxAttempts } = settings
  const attempt = Math.min(invocation.attempt, maxAttempts)
  const claimed = await tasks.claim(id, { attempt, nextCheckAt: Date.now() + CHECK_LEASE_MS })
  if (!claimed) return 'lost'
  const hold: Hold = { env, ...claimed }
  const { task } = hold
  if (isTerminal(task)) {
    // The delivery that settled it may have died before this.
    if (task.status === 'completed') await discardOriginal(hold, task.source)
    return 'over'
  }
  if (invocation.attempt > maxAttempts || isHopeless(task, maxAttempts)) {
    return await settle(hold, { status: 'failed', error: task.lastError ?? unknownReason(maxAttempts) })
  }
  try {
    return await keeping(hold, () => work(hold))
  } catch (error) {
    if (error instanceof HoldLost) return await leave(hold)
    if (error instanceof PermanentFailure) {
      invocation.log.info('image refused', { code: error.code, err: error.cause })
      return await settle(hold, { status: 'failed', error: { code: error.code, message: error.message } })
    }
    const transient = transientOf(error, task)
    await expectAgain(hold, transient)
    if (transient === null) throw error
    if (transient.code === 'unavailable') throw transient
    throw new Problem('unavailable', transient.message, { headers: transient.headers, cause: transient })
  }
}
