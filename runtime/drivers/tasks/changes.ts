/** Wakes those who wait for a task: by id, with no polling for each of them. */
import type { Task } from '#shared/task.ts'

export interface Changes {
  /** The task as it is, then each later state, then null once it is gone. Subscribes before it reads. */
  watch(id: string, signal: AbortSignal): AsyncIterable<Task | null>
  /** The task was written or deleted by this process. */
  touch(id: string): void
  /** Another process wrote something: everyone who waits reads again. */
  touchAll(): void
  /** How many wait now. */
  watchers(): number
  /** Ends every watch. */
  close(): void
}

export interface ChangesOptions {
  read: (id: string) => Task | null | Promise<Task | null>
  /** Called when the first watch begins; what it returns is called when the last one has ended. */
  whileWatched?: () => () => void
  /** The same for each task: before the first read of its first watch, and after its last one has ended. */
  whileTaskWatched?: (id: string) => () => void
}

/** One who waits. `ended` is looked at after each wake. */
interface Watch {
  id: string
  ended: boolean
  touched: PromiseWithResolvers<void>
}

function wake(watch: Watch): void {
  watch.touched.resolve()
}

function end(watch: Watch): void {
  watch.ended = true
  wake(watch)
}

/** Yields each state that differs from the one before it: a touch may be for what no document shows. */
async function* states(watch: Watch, read: ChangesOptions['read']): AsyncGenerator<Task | null, void> {
  let last: string | undefined
  while (!watch.ended) {
    watch.touched = Promise.withResolvers<void>()
    const task = await read(watch.id)
    if (watch.ended) return
    const state = JSON.stringify(task)
    if (state !== last) yield task
    if (task === null) return
    last = state
    await watch.touched.promise
  }
}

export function watchChanges(options: ChangesOptions): Changes {
  const { read, whileWatched = () => () => {}, whileTaskWatched = () => () => {} } = options
  const watches = new Map<string, Set<Watch>>()
  const stopWatchingTask = new Map<string, () => void>()
  let stopWatching: (() => void) | null = null
  let closed = false

  function subscribe(watch: Watch): void {
    watches.set(watch.id, (watches.get(watch.id) ?? new Set()).add(watch))
    stopWatching ??= whileWatched()
    if (!stopWatchingTask.has(watch.id)) stopWatchingTask.set(watch.id, whileTaskWatched(watch.id))
  }

  function unsubscribe(watch: Watch): void {
    const ofTask = watches.get(watch.id)
    ofTask?.delete(watch)
    if (ofTask?.size !== 0) return
    watches.delete(watch.id)
    stopWatchingTask.get(watch.id)?.()
    stopWatchingTask.delete(watch.id)
    if (watches.size > 0) return
    stopWatching?.()
    stopWatching = null
  }

  async function* subscribed(watch: Watch, signal: AbortSignal): AsyncGenerator<Task | null, void> {
    const onAbort = (): void => end(watch)
    if (signal.aborted || closed) return
    // Before the first read: a write that lands between the two is seen by one of them.
    subscribe(watch)
    signal.addEventListener('abort', onAbort)
    try {
      yield* states(watch, read)
    } finally {
      signal.removeEventListener('abort', onAbort)
      unsubscribe(watch)
    }
  }

  return {
    watch: (id, signal) => ({
      [Symbol.asyncIterator]: () => {
        const watch: Watch = { id, ended: false, touched: Promise.withResolvers<void>() }
        const generator = subscribed(watch, signal)
        return {
          next: () => generator.next(),
          // A generator that waits queues its return() behind the wait; so the wait is ended first.
          return: () => {
            end(watch)
            return generator.return()
          },
        }
      },
    }),
    touch: (id) => watches.get(id)?.forEach(wake),
    touchAll: () => watches.forEach((ofTask) => ofTask.forEach(wake)),
    watchers: () => [...watches.values()].reduce((sum, ofTask) => sum + ofTask.size, 0),
    close: () => {
      closed = true
      watches.forEach((ofTask) => ofTask.forEach(end))
    },
  }
}
