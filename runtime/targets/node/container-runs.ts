/** The invocations that run in one container, from their start until nothing of them is left. */
import type { Bindings } from '#shared/bindings.ts'
import { TIMEOUT_MAX_MS } from '../../limits.ts'
import type { ChildMessage, ParentMessage } from './container-protocol.ts'
import { CONTAINER_DONE_MS, NOTE_BYTES_MAX, NOTES_BYTES_MAX, NOTES_MAX } from './limits.ts'
import type { AllowedCalls } from './call-rules.ts'
import { checkNote } from './note-shapes.ts'
import { type Live, type NoteMessage, serveCalls } from './rpc.ts'

/** One invocation. It is over when the child says so and nothing of its Response is left to read. */
interface State extends Live {
  notes: number
  noteBytes: number
  onNote: () => void
  done: boolean
  closed: boolean
}

export interface Run {
  /** Resolves when so many of its notes have come, or none comes any more. */
  heard: (notes: number) => Promise<void>
  /** Nothing of it flows any more, in either direction. */
  close: () => void
}

export interface RunsOptions {
  allowed: AllowedCalls
  send: (message: ParentMessage) => void
  /** Ends the container. */
  kill: () => void
  /** From the deadline of a run that is not over to `kill`. */
  stopMs: number
  /** Called after each run that is over, in whatever way. */
  onRest: () => void
}

export function containerRuns({ allowed, send, kill, stopMs, onRest }: RunsOptions) {
  const runs = new Map<string, State>()
  const liveOf = (id: string): Live | undefined => {
    const run = runs.get(id)
    return run && !run.done ? run : undefined
  }
  const calls = serveCalls({ allowed, liveOf, reply: send })
  const leave = (id: string, run: State): void => {
    if (run.done && run.closed && runs.delete(id)) onRest()
  }
  const done = (id: string): void => {
    const run = runs.get(id)
    if (!run || run.done) return
    run.done = true
    calls.endInvocation(id)
    leave(id, run)
  }
  /** Once nothing flows, a run must be over soon; a client that left gives it the time until its deadline. */
  const bound = (run: State): void => {
    const { deadline, signal } = run.env.invocation
    const leftMs = Math.min(Math.max(0, deadline - Date.now()) + stopMs, TIMEOUT_MAX_MS)
    const stop = (): void => {
      if (!run.done) kill()
    }
    setTimeout(stop, signal.aborted ? leftMs : Math.min(leftMs, CONTAINER_DONE_MS)).unref()
  }
  const note = (message: NoteMessage, bytes: number): void => {
    const run = runs.get(message.invocation)
    if (!run || run.done) return
    if (bytes > NOTE_BYTES_MAX)
      throw new RangeError(`Expected a note of at most ${NOTE_BYTES_MAX} bytes, got ${bytes}.`)
    run.notes++
    run.noteBytes += bytes
    if (run.notes > NOTES_MAX || run.noteBytes > NOTES_BYTES_MAX) throw new RangeError('Expected fewer notes.')
    calls.note(run.env, checkNote(message.note))
    run.onNote()
  }
  return {
    active: (): number => runs.size,
    begin(env: Bindings, task: string | undefined): Run {
      const { id } = env.invocation
      const run: State = { env, task, notes: 0, noteBytes: 0, onNote: () => undefined, done: false, closed: false }
      runs.set(id, run)
      return {
        heard: (notes) =>
          new Promise((resolve) => {
            run.onNote = () => void (run.notes >= notes && resolve())
            run.onNote()
          }),
        close() {
          run.closed = true
          leave(id, run)
          if (!run.done) bound(run)
        },
      }
    },
    /** Throws on what no container says. `bytes`: of the message's JSON. */
    hear(message: ChildMessage, bytes: number): void {
      if (message.type === 'call') calls.call(message)
      else if (message.type === 'done') done(message.invocation)
      else if (message.type === 'note') note(message, bytes)
    },
    /** The process ended. */
    endAll(): void {
      for (const [id, run] of runs) {
        run.notes = Infinity
        run.onNote()
        done(id)
      }
    },
  }
}
