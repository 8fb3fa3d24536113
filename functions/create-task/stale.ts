/** How long an id may wait for its task. */
import type { Settings } from '#shared/bindings.ts'
import { timeOfTaskId } from '#shared/task.ts'

/** The collector takes orphans older than its grace: a task that old would refer to files that may go at any moment. */
export function isStale(taskId: string, { gcGraceMs }: Pick<Settings, 'gcGraceMs'>): boolean {
  return Date.now() - timeOfTaskId(taskId) > gcGraceMs / 2
}
