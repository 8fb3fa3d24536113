/** The collector: takes away files that no document names, left behind by an upload or a deletion that died. */
import type { Bindings } from '#shared/bindings.ts'
import { InvocationEnded } from '#shared/errors.ts'
import { GC_FOLDERS_PER_RUN } from '#shared/limits.ts'
import { TASK_ID, timeOfTaskId } from '#shared/task.ts'

const CURSOR = 'gc'

type Parts = Pick<Bindings, 'tasks' | 'blobs' | 'settings' | 'invocation'>

async function collect({ tasks, blobs, invocation }: Parts, id: string): Promise<boolean> {
  if (await tasks.get(id)) return false
  try {
    await blobs.deleteTask(id)
    return true
  } catch (error) {
    if (error instanceof InvocationEnded) throw error
    // One folder that cannot be removed must not stop the walk for all that come after it.
    invocation.log.error('orphaned files cannot be removed', { task: id, err: error })
    return false
  }
}

/**
 * Goes on where the last run stopped, in the order of ids, which is that of their time. Younger folders than the grace
 * are left alone: their document may still be about to be written. The first of them ends the walk, and it starts anew.
 */
export async function collectOrphans(env: Parts, now: number): Promise<void> {
  const { tasks, blobs, settings, invocation } = env
  const after = (await tasks.readCursor(CURSOR)) ?? ''
  const ids = await blobs.listTasks(after, GC_FOLDERS_PER_RUN)
  let next = ids.length < GC_FOLDERS_PER_RUN ? '' : ids.at(-1)!
  let collected = 0
  for (const [at, id] of ids.entries()) {
    if (invocation.signal.aborted) {
      next = ids[at - 1] ?? after
      break
    }
    // What is not named by a task id has no age, and is not ours to delete.
    if (!TASK_ID.test(id)) continue
    if (timeOfTaskId(id) > now - settings.gcGraceMs) {
      next = ''
      break
    }
    if (await collect(env, id)) collected++
  }
  if (collected > 0) invocation.measure('swept_total', collected, { action: 'collected' })
  if (next !== after) await tasks.writeCursor(CURSOR, next)
}
