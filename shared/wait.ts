/** Waiting for a task: by the store's changes, never by asking again and again. */
import type { TaskStore } from './bindings.ts'
import type { Task } from './task.ts'

/**
 * The task as soon as `done` says yes, else as it is after `ms`, when the signal aborts, or when the runtime has no
 * room for another waiter. Null when it is unknown or deleted. Leaves no listener and no timer behind.
 */
export async function waitFor(
  tasks: Pick<TaskStore, 'changes' | 'get'>,
  id: string,
  signal: AbortSignal,
  ms: number,
  done: (task: Task) => boolean,
): Promise<Task | null> {
  if (ms <= 0 || signal.aborted) return await tasks.get(id)
  // Not AbortSignal.any: its dependents hang on the source until they are collected.
  const ended = new AbortController()
  const end = (): void => ended.abort()
  const timer = setTimeout(end, ms)
  signal.addEventListener('abort', end, { once: true })
  let latest: Task | null | undefined
  try {
    for await (const task of tasks.changes(id, ended.signal)) {
      latest = task
      if (task === null || done(task)) break
    }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
    end()
  }
  return latest === undefined ? await tasks.get(id) : latest
}
