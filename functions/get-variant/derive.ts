/** Another encoding of a variant: made by process-image on first demand, waited for here. */
import type { Bindings } from '#shared/bindings.ts'
import { InvocationEnded, type Problem, unavailable } from '#shared/errors.ts'
import { givenUp } from '#shared/given-up.ts'
import { DERIVE_WAIT_MS } from '#shared/limits.ts'
import { type DerivedFormat, variantWanted } from '#shared/message.ts'
import { taskNotFound } from '#shared/read-task.ts'
import type { Task } from '#shared/task.ts'
import type { StoredFile } from '#shared/variant.ts'
import { waitFor } from '#shared/wait.ts'

function derivedOf(task: Task, variant: string, format: DerivedFormat): StoredFile | null {
  return task.variants.find(({ name }) => name === variant)?.derived[format] ?? null
}

/**
 * The file; null when it is not there in time; or the Problem of one that was given up. Throws Problem `unavailable`
 * when it cannot even be asked for, and `not-found` when the task was deleted meanwhile.
 */
export async function derivedFile(
  { tasks, queue, cache, invocation }: Pick<Bindings, 'tasks' | 'queue' | 'cache' | 'invocation'>,
  task: Task,
  variant: string,
  format: DerivedFormat,
): Promise<StoredFile | Problem | null> {
  const known = derivedOf(task, variant, format)
  if (known) return known
  // A cached task does not learn what was recorded later, so the store is asked before anything is sent.
  const stored = await tasks.get(task.id)
  if (!stored) throw taskNotFound(task.id)
  const recorded = derivedOf(stored, variant, format)
  if (recorded) return recorded
  const encoding = { taskId: task.id, variant, format }
  const vain = await givenUp(cache, encoding)
  if (vain) return vain
  try {
    await queue.send(variantWanted(task.id, { variant, format }, invocation.traceparent))
  } catch (error) {
    if (error instanceof InvocationEnded) throw error
    throw unavailable('queue', error, 1)
  }
  const made = (now: Task): boolean => derivedOf(now, variant, format) !== null
  const changed = await waitFor(tasks, task.id, invocation.signal, DERIVE_WAIT_MS, made)
  if (!changed) throw taskNotFound(task.id)
  return derivedOf(changed, variant, format) ?? (await givenUp(cache, encoding))
}
