/** The drain: nothing new is taken, what runs may end, and what does not end in time goes back to where it came from. */
import type { Consumer } from '#shared/consumer.ts'
import { LAST_ANSWERS_MS } from './limits.ts'
import type { LoadedFunction } from './loader.ts'
import type { Streams } from './streams.ts'
import type { Timer } from './triggers/timer.ts'

export interface DrainOptions {
  servers: readonly { close(): Promise<void>; force(): void }[]
  streams: Streams
  consumers: readonly Consumer[]
  timers: readonly Timer[]
  functions: readonly LoadedFunction[]
  bindings: { close(): Promise<void> }
  /** Answers whoever waits for a task, with the state that it has. */
  endWaits: () => void
  ms: number
}

/** True when the work was over in time. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), ms)
  void work.then(
    () => resolve(true),
    () => resolve(true),
  )
  return await promise.finally(() => clearTimeout(timer))
}

export async function drain(options: DrainOptions): Promise<void> {
  const { servers, streams, consumers, timers, functions, bindings, endWaits, ms } = options
  for (const consumer of consumers) consumer.pause()
  streams.end()
  const answered = servers.map((server) => server.close())
  const worked = Promise.all([...consumers.map((consumer) => consumer.idle()), ...timers.map((timer) => timer.stop())])
  // When nothing works any more nothing comes that is worth waiting for, and when the time is nearly up neither.
  const over = Promise.all([...answered, worked.then(endWaits)])
  const workMs = Math.max(0, ms - LAST_ANSWERS_MS)
  if (!(await within(workMs, over))) {
    endWaits()
    await within(ms - workMs, over)
  }
  for (const server of servers) server.force()
  // Before the containers end: what they were doing goes back uncounted, and their deaths are nobody's failure.
  await Promise.all(consumers.map((consumer) => consumer.close()))
  await Promise.all(functions.map(({ host }) => host.close()))
  await bindings.close()
}
