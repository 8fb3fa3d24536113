/** Taking a task away with all that hangs on it: what DELETE and the expiry of the sweeper share. */
import type { Bindings } from './bindings.ts'
import { taskCreated, taskSettled } from './message.ts'
import { taskCacheKey, TOMBSTONE, TOMBSTONE_MS } from './read-task.ts'

type Parts = Pick<Bindings, 'tasks' | 'cache' | 'blobs' | 'queue' | 'invocation'>

/**
 * True when there was such a task. The document goes first: from then on the task does not exist, and what a crash or
 * a fault leaves behind is harmless (the collector takes the files, a message without a task is acked).
 */
export async function removeTask(env: Parts, id: string): Promise<boolean> {
  const { tasks, cache, blobs, queue, invocation } = env
  const key = taskCacheKey(id)
  // Before the store: what lies there then had its task already, and no task comes back.
  const known = await cache.get(key)
  const task = await tasks.delete(id)
  // Also where only the cache knew it: the one who deleted it may have died before this line. Not where nobody did: the
  // id may be that of an open upload, whose task is still to come.
  if (task || known) await cache.set(key, TOMBSTONE, TOMBSTONE_MS)
  if (!task) return false
  try {
    await blobs.deleteTask(id)
  } catch (err) {
    invocation.log.warn('files of a deleted task stay until they are collected', { err })
  }
  try {
    for (const message of [taskCreated(id), taskSettled(id)]) await queue.remove(message.queue, message.id)
  } catch (err) {
    invocation.log.warn('messages of a deleted task stay until they are delivered', { err })
  }
  return true
}
