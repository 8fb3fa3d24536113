/** Hands messages out as a platform does: so many at once, again after a time, and aside what it gives up. */

/** `again`: after so many ms. `given-up`: it goes where the platform puts what nobody took. */
export type Outcome = { kind: 'done' } | { kind: 'again'; afterMs: number } | { kind: 'given-up' }

export interface Dispatcher<T> extends AsyncDisposable {
  add(message: T): void
  /** Ready, handed out, and to come later. */
  counts(): { waiting: number; active: number; delayed: number }
  /** What was given up, the oldest first. */
  aside: T[]
}

export interface DispatcherOptions<T> {
  concurrency: number
  /** `attempt` from 1. What rejects is tried again at once, up to the end of the test. */
  deliver: (message: T, attempt: number) => Promise<Outcome>
}

export function dispatcher<T>({ concurrency, deliver }: DispatcherOptions<T>): Dispatcher<T> {
  const ready: { message: T; attempt: number }[] = []
  const timers = new Set<NodeJS.Timeout>()
  const running = new Set<Promise<void>>()
  const aside: T[] = []
  let stopped = false

  const wake = (): void => {
    if (stopped) return
    while (running.size < concurrency && ready.length > 0) {
      const { message, attempt } = ready.shift()!
      const run = handOut(message, attempt).finally(() => {
        running.delete(run)
        wake()
      })
      running.add(run)
    }
  }
  const later = (message: T, attempt: number, afterMs: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      ready.push({ message, attempt })
      wake()
    }, afterMs)
    timers.add(timer)
  }
  async function handOut(message: T, attempt: number): Promise<void> {
    const outcome = await deliver(message, attempt).catch((): Outcome => ({ kind: 'again', afterMs: 100 }))
    if (outcome.kind === 'given-up') aside.push(message)
    if (outcome.kind === 'again' && !stopped) later(message, attempt + 1, outcome.afterMs)
  }
  return {
    add(message) {
      ready.push({ message, attempt: 1 })
      wake()
    },
    counts: () => ({ waiting: ready.length, active: running.size, delayed: timers.size }),
    aside,
    async [Symbol.asyncDispose]() {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      await Promise.all(running)
    },
  }
}
