/** What was accepted is finished: tasks that nothing was heard of, and callbacks that are owed, are sent again. */
import type { Bindings } from '#shared/bindings.ts'
import { InvocationEnded, unavailable } from '#shared/errors.ts'
import { type Message, taskCreated, taskSettled } from '#shared/message.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { BATCH_TASKS, RESEND_AGAIN_MS } from './limits.ts'

type Parts = Pick<Bindings, 'tasks' | 'queue' | 'invocation'>

/** The same ids as at first, so a message that is still in the queue is not doubled. */
function owed(task: Task): Message | null {
  const trace = task.traceparent ?? undefined
  if (!isTerminal(task)) return taskCreated(task.id, trace)
  return task.callback?.status === 'pending' ? taskSettled(task.id, trace) : null
}

/** False when another sweeper, or a delivery, was faster. Throws Problem `unavailable` when the queue is away. */
async function resend({ tasks, queue, invocation }: Parts, task: Task, now: number): Promise<boolean> {
  const message = owed(task)
  try {
    // Sent first: a sweeper that dies here leaves the task due, and one message too many is harmless.
    if (message) await queue.send(message)
  } catch (error) {
    if (error instanceof InvocationEnded) throw error
    throw unavailable('queue', error)
  }
  if (task.nextCheckAt === null || !(await tasks.postpone(task.id, task.nextCheckAt, now + RESEND_AGAIN_MS)))
    return false
  if (!message) return true
  invocation.measure('swept_total', 1, { action: 'resent' })
  invocation.log.info('sent again', { task: task.id, type: message.type })
  return true
}

export async function resendDue(env: Parts, now: number): Promise<void> {
  const { tasks, invocation } = env
  while (!invocation.signal.aborted) {
    const batch = await tasks.due(now, BATCH_TASKS)
    let moved = 0
    for (const task of batch) {
      if (invocation.signal.aborted) return
      if (await resend(env, task, now)) moved++
    }
    // Nothing moved: others are at the same tasks, and asking on would turn in a circle.
    if (batch.length < BATCH_TASKS || moved === 0) return
  }
}
