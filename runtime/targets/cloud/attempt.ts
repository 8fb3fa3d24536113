/** How often a message has failed, where only the platform counts, and counts more than failures. */
import type { TaskStore } from '#shared/bindings.ts'
import type { Message, MessageType } from '#shared/message.ts'
import { isTerminal, type Task } from '#shared/task.ts'

/** Whose work begins with a claim. */
const CLAIMING = 'task.created' satisfies MessageType
/** Whose tries are recorded in its task, each that failed. */
const RECORDED = 'task.settled' satisfies MessageType

/**
 * The document counts the starts of its task's work, before the work; on a cloud a start that brought no end is a
 * failure, since the platform is the container and drains before it ends one. So an attempt is the smaller of both.
 */
function ofWork({ deliveries }: Task, received: number | null): number {
  const begun = deliveries + 1
  return Math.min(received ?? begun, begun)
}

/**
 * What is recorded are failures and nothing else, also those of an earlier message. A try that ends without a record
 * must have an end too: for that the platform's count stands, less as many as may not have been failures.
 */
function ofCallback(attempts: number, received: number | null, maxAttempts: number): number {
  return Math.max(attempts + 1, (received ?? 0) - maxAttempts)
}

/**
 * A platform counts how often it handed a message out: throttled starts, full instances and stores that were away are
 * in that number, and neither a picture nor a callback may end as `failed` for them. So the task's document decides
 * where it counts, and the platform alone where it does not (`variant.wanted`). At most maxAttempts + 1. `received`:
 * from 1, or null where the platform tells none.
 */
export async function attemptOf(
  tasks: Pick<TaskStore, 'get'>,
  { subject, type }: Pick<Message, 'subject' | 'type'>,
  received: number | null,
  maxAttempts: number,
): Promise<number> {
  const upTo = (attempt: number): number => Math.min(attempt, maxAttempts + 1)
  const byPlatform = received ?? 1
  if (type !== RECORDED && (type !== CLAIMING || received === 1)) return upTo(byPlatform)
  const task = await tasks.get(subject).catch(() => undefined)
  // Not known how often it failed: the delivery that gives the task up must wait for a store that can say it.
  if (task === undefined) return Math.min(byPlatform, maxAttempts)
  if (type === CLAIMING) return upTo(task && !isTerminal(task) ? ofWork(task, received) : byPlatform)
  const callback = task?.callback
  return upTo(callback?.status === 'pending' ? ofCallback(callback.attempts, received, maxAttempts) : byPlatform)
}
