/** Follows a task to its end by its event stream, as a client would. */
import { setTimeout } from 'node:timers/promises'
import { SECOND_MS } from '#shared/limits.ts'
import type { TaskRepresentation } from '#shared/representation.ts'
import { isTerminal } from '#shared/task.ts'
import { messageOf } from '../runtime/host.ts'
import { CommandError } from './report.ts'

/** Streams in a row that tell nothing new, before the task is given up. */
const FRUITLESS_MAX = 5

export interface FollowOptions {
  headers: Record<string, string>
  /** Aborts when nobody waits any longer. */
  signal: AbortSignal
  onTask: (task: TaskRepresentation) => void
  /** Pause before a stream that ended is followed again. */
  againMs?: number
}

interface StreamEvent {
  type: string | undefined
  id: string | undefined
  data: string | undefined
}

function parseEvent(block: string): StreamEvent {
  const field = (name: string): string | undefined => new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1]
  return { type: field('event'), id: field('id'), data: field('data') }
}

async function* eventsOf(url: string, headers: Record<string, string>, signal: AbortSignal) {
  const response = await fetch(url, { headers: { ...headers, accept: 'text/event-stream' }, signal })
  if (!response.ok || !response.body) throw new Error(`${response.status} ${await response.text()}`)
  let text = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + chunk).split('\n\n')
    text = blocks.pop()!
    yield* blocks.map(parseEvent)
  }
}

/**
 * The task when it has ended; null when the signal aborts first. A stream that ends or breaks before is followed again,
 * from the state that is known.
 */
export async function followTask(url: string, options: FollowOptions): Promise<TaskRepresentation | null> {
  const { headers, signal, onTask, againMs = SECOND_MS } = options
  let known: Record<string, string> = {}
  let fruitless = 0
  for (;;) {
    let fault: unknown = 'its event stream ends'
    fruitless++
    try {
      for await (const { type, id, data } of eventsOf(url, { ...headers, ...known }, signal)) {
        if (type === 'deleted') throw new CommandError('The task was deleted.')
        if (data === undefined) continue
        if (id !== undefined) known = { 'last-event-id': id }
        fruitless = 0
        const task = JSON.parse(data) as TaskRepresentation
        onTask(task)
        if (isTerminal(task)) return task
      }
    } catch (error) {
      if (error instanceof CommandError) throw error
      fault = error
    }
    if (signal.aborted) return null
    if (fruitless === FRUITLESS_MAX) throw new CommandError(`The task cannot be followed: ${messageOf(fault)}`)
    await setTimeout(againMs, undefined, { signal }).catch(() => undefined)
  }
}
