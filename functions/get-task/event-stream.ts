/** A task's changes as server-sent events (WHATWG HTML §9.2), until it has ended. */
import type { Bindings, Caller } from '#shared/bindings.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { represent } from '#shared/representation.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { latest } from './latest.ts'

/** How long EventSource waits before it connects again. */
const RECONNECT_MS = 2 * SECOND_MS

/** Names a state of a task, the same in every process. That of a final state does not change with its callback. */
export function eventId(task: Task): string {
  return `${Date.parse(task.completedAt ?? task.updatedAt)}-${task.status}-${task.progress}`
}

export interface EventStreamOptions {
  tasks: Pick<Bindings['tasks'], 'changes'>
  links: Bindings['links']
  caller?: Caller | undefined
  /** The state at which the stream begins. */
  task: Task
  /** The id of the state that the client has. */
  lastEventId: string | undefined
  signal: AbortSignal
  heartbeatMs: number
}

/**
 * Starts to listen when it is first read, and stops at once when it is cancelled or the signal aborts. A body that is
 * dropped unread therefore holds nothing; a reader that stops reading holds one state.
 */
export function taskEvents(options: EventStreamOptions) {
  const { tasks, links, caller, task: first, lastEventId, signal, heartbeatMs } = options
  const encoder = new TextEncoder()
  const stop = new AbortController()
  const end = (): void => stop.abort()
  const states = latest<Task | null>(first)
  let sent = lastEventId
  let listening: Promise<void> | undefined
  let cancelled = false

  const listen = async (): Promise<void> => {
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
    try {
      for await (const task of tasks.changes(first.id, stop.signal)) {
        states.put(task)
        if (task === null || isTerminal(task)) break
      }
      states.end()
    } catch (error) {
      states.fail(error)
    } finally {
      signal.removeEventListener('abort', end)
    }
  }
  const start = (): string => {
    if (isTerminal(first)) states.end()
    listening = isTerminal(first) ? Promise.resolve() : listen()
    return `retry: ${RECONNECT_MS}\n\n`
  }
  /** Empty for a state that the client has. */
  const write = async (task: Task | null): Promise<string> => {
    if (task === null) return 'event: deleted\ndata: {}\n\n'
    const id = eventId(task)
    if (id === sent) return ''
    sent = id
    return `event: task\nid: ${id}\ndata: ${JSON.stringify(await represent(task, links, caller))}\n\n`
  }
  const next = async (): Promise<string | null> => {
    if (!listening) return start()
    // From the last byte, not from the last state: one that shows nothing new breaks no silence.
    const until = Date.now() + heartbeatMs
    for (;;) {
      const taken = await states.take(Math.max(0, until - Date.now()))
      if (taken.kind === 'ended') return null
      const text = taken.kind === 'silence' ? ': still here\n\n' : await write(taken.state)
      if (text !== '') return text
    }
  }

  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const text = await next()
        if (cancelled) return
        if (text === null) controller.close()
        else controller.enqueue(encoder.encode(text))
      },
      async cancel() {
        cancelled = true
        end()
        states.end()
        await listening
      },
    },
    { highWaterMark: 0 },
  )
}
