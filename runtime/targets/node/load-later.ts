/** When the functions that nobody has asked for yet are loaded, and what shows the metrics. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Core } from '../../core.ts'
import { messageOf } from '../../host.ts'
import type { BrokenFunction, LoadedFunction } from '../../loader.ts'

/** From listening. */
const LOAD_DELAY_MS = 50

/** By each start anew: what failed may have been a machine that was busy, or out of memory, for a moment. */
function note(fn: LoadedFunction, failure: unknown): void {
  fn.error = failure === null ? null : messageOf(failure)
}

/** Loads every app once; a failure is noted on the function and told. One of a later start is noted, too. */
export async function loadAll(functions: readonly LoadedFunction[], onBroken: (fn: BrokenFunction) => void) {
  const load = async (fn: LoadedFunction): Promise<void> => {
    const { name, host } = fn
    host.onStarted?.((failure) => note(fn, failure))
    try {
      await host.load()
    } catch (error) {
      if (!host.onStarted) note(fn, error)
      onBroken({ name, error: messageOf(error) })
    }
  }
  await Promise.all(functions.map(load))
}

/** Who asks at once is answered first: the function that is asked is loaded for it, the others a little later. */
export async function loadLater(core: Core): Promise<void> {
  await delay(LOAD_DELAY_MS)
  if (core.draining) return
  const functions = loadAll(core.functions, ({ name, error }) => {
    // A container that the drain ended while it was starting is no fault of its function.
    if (!core.draining) core.logger.error({ function: name, reason: error }, 'function is broken')
  })
  // Not at the first scrape: what the process shows of itself begins when it is loaded.
  const metrics = core.metrics.registry().catch((err: unknown) => core.logger.error({ err }, 'no metrics yet'))
  await Promise.all([functions, metrics])
}
