/** Waits for another process's write lock without holding the event loop: who reads, or needs no lock, goes on. */
import { setTimeout as delay } from 'node:timers/promises'
import { isBusy } from './errors.ts'

/** How long a write waits for the lock in all. */
export const LOCK_WAIT_MS = 5_000
/** How long one try waits, and holds the event loop: for whoever is about to be done. */
export const LOCK_TRY_MS = 5
const STEP_MIN_MS = 5
const STEP_MAX_MS = 200

/** Each call tells how long to wait before the next try, ever longer; null when the time is up. */
export function steps(waitMs: number): () => number | null {
  const end = performance.now() + waitMs
  let stepMs = STEP_MIN_MS / 2
  return () => {
    const leftMs = end - performance.now()
    if (leftMs <= 0) return null
    stepMs = Math.min(stepMs * 2, STEP_MAX_MS)
    return Math.min(stepMs, leftMs)
  }
}

/** Runs `work` at once, and again while the lock is another's. */
export async function whenFree<T>(work: () => T, waitMs: number): Promise<T> {
  const next = steps(waitMs)
  for (;;) {
    try {
      return work()
    } catch (error) {
      const stepMs = isBusy(error) ? next() : null
      if (stepMs === null) throw error
      await delay(stepMs)
    }
  }
}
