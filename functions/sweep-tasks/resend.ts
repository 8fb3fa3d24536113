/** What was accepted is finished: tasks that nothing was heard of, and callbacks and discards that are owed, are sent again. */
import type { Bindings } from '#shared/bindings.ts'
import { InvocationEnded, unavailable } from '#shared/errors.ts'
import { type Message, taskCreated, taskSettled } from '#shared/message.ts'
import { isTerminal, owesDiscard, type Task, type TaskError } from '#shared/task.ts'
import { BATCH_TASKS, QUEUE_AWAY_MS, RESEND_AGAIN_MS } from './limits.ts'
import { hasTimeLeft } from './time-left.ts'

type Parts = Pick<Bindings, 'tasks' | 'queue' | 'invocation'>

/** The same ids as at first, so a message that is still in the queue is not doubled. */
function owed(task: Task): Message[] {
  const trace = task.traceparent ?? undefined
  const messages: Message[] = []
  // process-image discards the original when it is delivered a task that is over.
  if (!isTerminal(task) || owesDiscard(task)) messages.push(taskCreated(task.id, trace))
  if (isTerminal(task) && task.callback?.status === 'pending') messages.push(taskSettled(task.id, trace))
  return messages
}

/** True of one that was looked after twice at once: the original went while it was noted that it is to go. */
async function isDone({ tasks }: Parts, task: Task): Promise<boolean> {
  if (task.options.original !== 'discard' || task.source.key !== null) return false
  return await tasks.discardOriginal(task.id)
}

/** Whoever worked on it is silent, and holds it no longer: what is sent now must not wait for him. */
function silence({ status, lastError }: Task): TaskError | undefined {
  if (status !== 'processing' || lastError !== null) return undefined
  return { code: 'processing-failed', message: 'The process that worked on the image was not heard of any more.' }
}

/** What the queues did not take, by their names: each is asked once in a run, and stops no other. */
type Away = Map<string, unknown>

/** False when its queue is away. */
async function send({ queue }: Parts, message: Message, away: Away): Promise<boolean> {
  if (away.has(message.queue)) return false
  try {
    await queue.send(message)
    return true
  } catch (error) {
    if (error instanceof InvocationEnded) throw error
    away.set(message.queue, error)
    return false
  }
}

/** False when another sweeper, or a delivery, was faster. */
async function resend(env: Parts, task: Task, now: number, away: Away): Promise<boolean> {
  const { tasks, invocation } = env
  const messages = owed(task)
  if (messages.length === 0 && (await isDone(env, task))) return true
  const sent: string[] = []
  // Sent first: a sweeper that dies here leaves the task due, and one message too many is harmless.
  for (const message of messages) if (await send(env, message, away)) sent.push(message.type)
  const all = sent.length === messages.length
  const { id, nextCheckAt } = task
  // Put off also where it was not sent: what is due first would else keep all that comes after it from its queue.
  const next = now + (all ? RESEND_AGAIN_MS : QUEUE_AWAY_MS)
  const silent = all ? silence(task) : undefined
  if (nextCheckAt === null || !(await tasks.postpone(id, nextCheckAt, next, silent))) return false
  if (sent.length === 0) return true
  invocation.measure('swept_total', 1, { action: 'resent' })
  invocation.log.info('sent again', { task: id, type: sent.join(', ') })
  return true
}

/** Throws Problem `unavailable` when a queue was away, once all that others take was sent. */
export async function resendDue(env: Parts, now: number): Promise<void> {
  const { tasks, invocation } = env
  const away: Away = new Map()
  while (hasTimeLeft(invocation)) {
    const batch = await tasks.due(now, BATCH_TASKS)
    let moved = 0
    for (const task of batch) {
      if (!hasTimeLeft(invocation)) break
      if (await resend(env, task, now, away)) moved++
    }
    // Nothing moved: others are at the same tasks, and asking on would turn in a circle.
    if (batch.length < BATCH_TASKS || moved === 0) break
  }
  for (const [name, error] of away) throw unavailable(`queue ${name}`, error)
}
