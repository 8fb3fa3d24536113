/** Starts of containers: after one that failed comes a pause, and past it one start shows whether it works again. */
import { START_RETRY_MS } from '#shared/not-started.ts'
import type { Container } from './container.ts'

/** `tell` gets the outcome of each start: null, or why it failed. */
export function pausedStarts(tell: (failure: unknown) => void) {
  let last: { failure: unknown; endsAt: number } | null = null
  const pass = (): void => {
    if (last === null) return
    if (performance.now() < last.endsAt) throw last.failure
    // Until its outcome is known: a backlog would start as many as may run.
    last.endsAt = Infinity
  }
  const settle = (failure: unknown): void => {
    last = failure === null ? null : { failure, endsAt: performance.now() + START_RETRY_MS }
    tell(failure)
  }
  return {
    /** Throws the last failure where another start has to wait. `wasEnded`: while it started, which says nothing of the next. */
    start(startOne: () => Container, wasEnded: () => boolean): Container {
      pass()
      const settleOwn = (failure: unknown): void => {
        if (!wasEnded()) settle(failure)
      }
      try {
        const container = startOne()
        container.ready.then(() => settleOwn(null), settleOwn)
        return container
      } catch (error) {
        settle(error)
        throw error
      }
    },
    /** What failed was the code as it was. */
    endPause: () => void (last = null),
  }
}
