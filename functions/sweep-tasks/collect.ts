/** The collector: takes away what an upload, a rendering or a deletion that died left behind. */
import type { Bindings } from '#shared/bindings.ts'
import { InvocationEnded } from '#shared/errors.ts'
import { GC_FOLDERS_PER_RUN } from '#shared/limits.ts'
import { TASK_ID, timeOfTaskId } from '#shared/task.ts'
import { hasTimeLeft } from './time-left.ts'

const CURSOR = 'gc'

type Parts = Pick<Bindings, 'tasks' | 'blobs' | 'settings' | 'invocation'>

/** True when the folder was nobody's, and is gone. Of a task that lives, only writes that died are taken. */
async function collect({ tasks, blobs, invocation }: Parts, id: string, before: number): Promise<boolean> {
  const orphaned = (await tasks.get(id)) === null
  try {
    await (orphaned ? blobs.deleteTask(id) : blobs.tidy(id, before))
    return orphaned
  } catch (error) {
    if (error instanceof InvocationEnded) throw error
    // One folder that cannot be tidied must not stop the walk for all that come after it.
    invocation.log.error('leftover files cannot be removed', { task: id, err: error })
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
  const before = now - settings.gcGraceMs
  let collected = 0
  for (const [at, id] of ids.entries()) {
    if (!hasTimeLeft(invocation)) {
      next = ids[at - 1] ?? after
      break
    }
    // What is not named by a task id has no age, and is not ours to delete.
    if (!TASK_ID.test(id)) continue
    if (timeOfTaskId(id) > before) {
      next = ''
      break
    }
    if (await collect(env, id, before)) collected++
  }
  if (collected > 0) invocation.measure('swept_total', collected, { action: 'collected' })
  if (next !== after) await tasks.writeCursor(CURSOR, next)
}
