import { setTimeout as delay } from 'node:timers/promises'
import type { TaskStore } from '#shared/bindings.ts'
import { WARM_UP_MS } from './limits.ts'

/** Between two tries: one that is refused is refused at once. */
const AGAIN_MS = 100

/**
 * Connects while nobody waits. A call gives up sooner than a first connection may take on a small share of a core, and
 * the first request of each new instance would be refused. A store that is away all the time is told by the requests.
 */
export async function warmUp(tasks: Pick<TaskStore, 'readCursor'>, forMs = WARM_UP_MS): Promise<void> {
  const until = Date.now() + forMs
  while (Date.now() < until) {
    const reached = await tasks.readCursor('ready').then(
      () => true,
      () => false,
    )
    if (reached) return
    await delay(AGAIN_MS)
  }
}
