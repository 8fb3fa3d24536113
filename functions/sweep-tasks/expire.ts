/** What expired is gone. The store names terminal tasks alone. */
import type { Bindings } from '#shared/bindings.ts'
import { removeTask } from '#shared/remove-task.ts'
import { BATCH_TASKS } from './limits.ts'
import { hasTimeLeft } from './time-left.ts'

export async function removeExpired(env: Bindings, now: number): Promise<void> {
  const { tasks, invocation } = env
  while (hasTimeLeft(invocation)) {
    const ids = await tasks.expired(now, BATCH_TASKS)
    let removed = 0
    for (const id of ids) {
      if (!hasTimeLeft(invocation)) break
      if (await removeTask(env, id)) removed++
    }
    if (removed > 0) invocation.measure('swept_total', removed, { action: 'expired' })
    if (ids.length < BATCH_TASKS || removed === 0) return
  }
}
