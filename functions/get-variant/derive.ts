/** Another encoding of a variant: made by process-image on first demand, waited for here. */
import type { Bindings } from '#shared/bindings.ts'
import { InvocationEnded, type Problem, unavailable } from '#shared/errors.ts'
import { type Encoding, givenUp } from '#shared/given-up.ts'
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
 * The task once the encoding is made or given up, else as it is after `ms`. Of what was given up the cache alone tells,
 * so that is looked at now and again: a long wait must not last to its end for nothing.
 */
async function made(
  { tasks, cache, invocation: { signal } }: Pick<Bindings, 'tasks' | 'cache' | 'invocation'>,
  encoding: Encoding,
  ms: number,
): Promise<Task | null> {
  const { taskId, variant, format } = encoding
  const ended = new AbortController()
  const end = (): void => ended.abort()
  const look = setInterval(() => void givenUp(cache, encoding).then((vain) => vain && end(), end), DERIVE_WAIT_MS)
  if (signal.aborted) end()
  else signal.addEventListener('abort', end, { once: true })
  try {
    return await waitFor(tasks, taskId, ended.signal, ms, (now) => derivedOf(now, variant, format) !== null)
  } finally {
    clearInterval(look)
    signal.removeEventListener('abort', end)
  }
}

/**
 * The file; null when it is not there within `waitMs`; or the Problem of one that was given up. Throws Problem
 * `unavailable` when it cannot even be asked for, and `not-found` when the task was deleted meanwhile.
 */
export async function derivedFile(
  env: Pick<Bindings, 'tasks' | 'queue' | 'cache' | 'invocation'>,
  task: Task,
  variant: string,
  format: DerivedFormat,
  waitMs: number,
): Promise<StoredFile | Problem | null> {
  const { tasks, queue, cache, invocation } = env
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
  const changed = await made(env, encoding, waitMs)
  if (!changed) throw taskNotFound(task.id)
  return derivedOf(changed, variant, format) ?? (await givenUp(cache, encoding))
}
