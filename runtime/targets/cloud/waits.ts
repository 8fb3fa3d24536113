/** Waits that end before the platform loses its patience: whoever waited gets the state that the task has. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { TaskStore } from '#shared/bindings.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { TIMEOUT_MAX_MS } from '../../limits.ts'
import { AFTER_WAIT_MS } from './limits.ts'

export interface Waits {
  /** The store, with a `changes` that ends in time. */
  cut<Store extends TaskStore>(tasks: Store): Store
  /** Runs one request, for which the platform leaves so many ms. */
  within<T>(remainingMs: number, run: () => T): T
  /** `Prefer: wait=n` no longer than what will be kept, so that `Preference-Applied` tells the truth. */
  prefer(headers: Headers, remainingMs: number): void
}

async function* until(
  tasks: TaskStore,
  id: string,
  signal: AbortSignal,
  ms: number,
): ReturnType<TaskStore['changes']> & AsyncGenerator {
  const ended = new AbortController()
  const end = (): void => ended.abort()
  // Beyond what a timer can count it is not cut at all.
  const timer = ms > TIMEOUT_MAX_MS ? undefined : setTimeout(end, Math.max(ms, 0))
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  try {
    yield* tasks.changes(id, ended.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  }
}

export function createWaits(waitMaxMs: number): Waits {
  // The store's `changes` is not told who asks; one instance may answer many at once.
  const endsAt = new AsyncLocalStorage<number>()
  const waitMs = (remainingMs: number): number => Math.max(0, Math.min(waitMaxMs, remainingMs - AFTER_WAIT_MS))
  return {
    cut: (tasks) => ({
      ...tasks,
      changes: (id, signal) =>
        until(tasks, id, signal, Math.max(0, (endsAt.getStore() ?? Date.now() + waitMaxMs) - Date.now())),
    }),
    within: (remainingMs, run) => endsAt.run(Date.now() + waitMs(remainingMs), run),
    prefer(headers, remainingMs) {
      const given = headers.get('prefer')
      const most = Math.floor(waitMs(remainingMs) / SECOND_MS)
      const cut = given?.replace(
        // All of them: which one counts is for the function to say, and what stands in another's value means nothing.
        /(\bwait\s*=\s*"?)(\d+)/gi,
        (_, name: string, n: string) => name + Math.min(Number(n), most),
      )
      if (cut !== undefined && cut !== given) headers.set('prefer', cut)
    },
  }
}
