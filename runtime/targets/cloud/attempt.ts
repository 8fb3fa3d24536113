/** How often a message has failed, where only the platform counts, and counts more than failures. */
import type { TaskStore } from '#shared/bindings.ts'
import type { Message, MessageType } from '#shared/message.ts'
import { isTerminal } from '#shared/task.ts'

/** Whose work begins with a claim; what is about a task otherwise is counted by the platform alone. */
const CLAIMING = 'task.created' satisfies MessageType

/**
 * A platform counts how often it handed a message out: throttled starts, full instances and stores that were away are
 * in that number, and no picture may end as `failed` for them. The document counts the starts of its task's work, before
 * the work; on a cloud a start that brought no end is a failure, since the platform is the container and drains before
 * it ends one. So an attempt is the smaller of both. `received`: from 1, or null where the platform tells none.
 */
export async function attemptOf(
  tasks: Pick<TaskStore, 'get'>,
  { subject, type }: Pick<Message, 'subject' | 'type'>,
  received: number | null,
  maxAttempts: number,
): Promise<number> {
  if (received === 1 || type !== CLAIMING) return Math.min(received ?? 1, maxAttempts + 1)
  const task = await tasks.get(subject).catch(() => undefined)
  // Not known how often it began: the delivery that gives the task up must wait for a store that can say it.
  if (task === undefined) return Math.min(received ?? 1, maxAttempts)
  const begun = task === null || isTerminal(task) ? (received ?? 1) : task.deliveries + 1
  return Math.min(received ?? begun, begun, maxAttempts + 1)
}
