/**
 * How often a message has failed, where only the platform counts, and counts more than failures; and whether it is a
 * duplicate of one that is at work, which a queue without ids of its own does not sort out.
 */
import type { TaskStore } from '#shared/bindings.ts'
import { CHECK_LEASE_MS } from '#shared/limits.ts'
import type { Message, MessageType } from '#shared/message.ts'
import { isTerminal, type Task } from '#shared/task.ts'

/** Whose work begins with a claim. */
const CLAIMING = 'task.created' satisfies MessageType
/** Whose tries are recorded in its task, each that failed. */
const RECORDED = 'task.settled' satisfies MessageType

export type Standing =
  | { attempt: number }
  /** Another delivery works on the task, for at least so many ms unless it ends. */
  | { heldMs: number }

/**
 * The document counts the starts of its task's work, before the work; on a cloud a start that brought no end is a
 * failure, since the platform is the container and drains before it ends one. So an attempt is the smaller of both,
 * without the starts that met a store that was away.
 */
function ofWork({ deliveries, uncounted }: Task, received: number | null): number {
  const begun = deliveries - uncounted + 1
  return Math.min(received ?? begun, begun)
}

/**
 * Ms for which somebody holds the task: who works has given no reason to end yet, and says from time to time that he
 * lives; where he no longer does, the sweeper gives one for him. No longer than a lease, whatever the clocks say.
 */
function heldMs({ status, lastError, nextCheckAt }: Task): number {
  if (status !== 'processing' || lastError !== null || nextCheckAt === null) return 0
  return Math.min(Math.max(0, nextCheckAt - Date.now()), CHECK_LEASE_MS)
}

/**
 * What is recorded are failures and nothing else, also those of an earlier message. A try that ends without a record
 * must have an end too: for that the platform's count stands, less as many as may not have been failures.
 */
function ofCallback(attempts: number, received: number | null, maxAttempts: number): number {
  return Math.max(attempts + 1, (received ?? 0) - maxAttempts)
}

/**
 * Where the message stands. A duplicate must not take the task from whoever works on it: each would undo the one before,
 * and their starts would count as so many failures. It waits, and finds the task ended or free.
 *
 * A platform counts how often it handed a message out: throttled starts, full instances and stores that were away are
 * in that number, and neither a picture nor a callback may end as `failed` for them. So the task's document decides
 * where it counts, and the platform alone where it does not (`variant.wanted`). At most maxAttempts + 1. `received`:
 * from 1, or null where the platform tells none.
 */
export async function standingOf(
  tasks: Pick<TaskStore, 'get'>,
  { subject, type }: Pick<Message, 'subject' | 'type'>,
  received: number | null,
  maxAttempts: number,
): Promise<Standing> {
  const upTo = (attempt: number): Standing => ({ attempt: Math.min(attempt, maxAttempts + 1) })
  const byPlatform = received ?? 1
  if (type !== RECORDED && type !== CLAIMING) return upTo(byPlatform)
  const task = await tasks.get(subject).catch(() => undefined)
  // Not known how often it failed: the delivery that gives the task up must wait for a store that can say it.
  if (task === undefined) return { attempt: Math.min(byPlatform, maxAttempts) }
  if (type === CLAIMING) {
    if (!task || isTerminal(task)) return upTo(byPlatform)
    const ms = heldMs(task)
    return ms > 0 ? { heldMs: ms } : upTo(ofWork(task, received))
  }
  const callback = task?.callback
  return upTo(callback?.status === 'pending' ? ofCallback(callback.attempts, received, maxAttempts) : byPlatform)
}
