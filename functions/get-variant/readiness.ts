/** What holds an answer back: a task that has not finished, or never will. */
import type { Bindings } from '#shared/bindings.ts'
import { Problem } from '#shared/errors.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { taskNotFound } from '#shared/read-task.ts'
import type { Task } from '#shared/task.ts'
import { waitFor } from '#shared/wait.ts'

/** The task once `ready`, or as it is after `seconds`. */
export async function awaitTask(
  { tasks, invocation }: Pick<Bindings, 'tasks' | 'invocation'>,
  task: Task,
  seconds: number,
  ready: (task: Task) => boolean,
): Promise<Task> {
  if (ready(task) || seconds === 0) return task
  const later = await waitFor(tasks, task.id, invocation.signal, seconds * SECOND_MS, ready)
  if (!later) throw taskNotFound(task.id)
  return later
}

export function notFinished(): Problem {
  return new Problem('task-not-finished', 'The task has not finished yet.', { headers: { 'Retry-After': '1' } })
}

/** A task that failed answers with its own code; the request is in conflict with its state, whatever the code. */
export function failure({ error }: Task): Problem {
  const code = error?.code ?? 'processing-failed'
  return new Problem(code, error?.message ?? 'The image could not be processed.', { status: 409 })
}
