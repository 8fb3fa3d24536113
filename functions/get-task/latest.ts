/** Holds the newest state until it is taken: a reader that is slow skips states, it never queues them. */

export interface Latest<State> {
  /** Replaces a state that nobody took yet. */
  put(state: State): void
  /** What was put still comes, then `ended`. */
  end(): void
  /** Fails what waits now or later, once the last state is taken. */
  fail(error: unknown): void
  /** The newest state that was not taken; waits for one up to `ms`. One taker at a time. */
  take(ms: number): Promise<{ kind: 'state'; state: State } | { kind: 'silence' } | { kind: 'ended' }>
}

export function latest<State>(first: State): Latest<State> {
  let pending: { state: State } | null = { state: first }
  let over: { error: unknown } | 'ended' | null = null
  let wake = (): void => {}
  const silence = async (ms: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    wake = resolve
    const timer = setTimeout(resolve, ms)
    await promise
    clearTimeout(timer)
  }
  return {
    put(state) {
      pending = { state }
      wake()
    },
    end() {
      over ??= 'ended'
      wake()
    },
    fail(error) {
      over ??= { error }
      wake()
    },
    async take(ms) {
      if (!pending && !over) await silence(ms)
      if (pending) {
        const { state } = pending
        pending = null
        return { kind: 'state', state }
      }
      if (over === 'ended') return { kind: 'ended' }
      if (over) throw over.error
      return { kind: 'silence' }
    },
  }
}
