/** When the functions that nobody has asked for yet are loaded. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Core } from '../../core.ts'
import { loadAll } from '../../loader.ts'

/** From listening. */
const LOAD_DELAY_MS = 50

/** Who asks at once is answered first: the function that is asked is loaded for it, the others a little later. */
export async function loadLater(core: Core): Promise<void> {
  await delay(LOAD_DELAY_MS)
  if (core.draining) return
  await loadAll(core.functions, ({ name, error }) => {
    // A container that the drain ended while it was starting is no fault of its function.
    if (!core.draining) core.logger.error({ function: name, reason: error }, 'function is broken')
  })
}
