/** An invocation as its function sees it in a container: what it notes are messages to the runtime. */
import type { Invocation, Logger } from '#shared/bindings.ts'
import type { InvocationHeader } from './container-protocol.ts'
import { NOTE_BYTES_MAX, NOTE_TASK_CHARS_MAX, NOTES_BYTES_MAX, NOTES_MAX } from './limits.ts'
import type { NoteMessage } from './rpc.ts'

/** What is left of a line that cannot be sent as it is. */
const CUT_CHARS = 1_000

/** JSON has nothing of an Error: its stack is what a reader needs. */
function plainField(value: unknown): unknown {
  return value instanceof Error ? { name: value.name, message: value.message, stack: value.stack } : value
}

/** `notes`: how many were sent. */
export function remoteInvocation(
  header: InvocationHeader,
  signal: AbortSignal,
  send: (message: NoteMessage) => void,
): { invocation: Invocation; notes: () => number } {
  let notes = 0
  let bytes = 0
  let silenced = false
  const note = (content: NoteMessage['note']): void => {
    const message: NoteMessage = { type: 'note', invocation: header.id, note: content }
    const length = Buffer.byteLength(JSON.stringify(message))
    if (length > NOTE_BYTES_MAX)
      throw new RangeError(`Expected a note of at most ${NOTE_BYTES_MAX} bytes, got ${length}.`)
    // The runtime would end a container that says more.
    if (notes >= NOTES_MAX || bytes + length > NOTES_BYTES_MAX) return
    send(message)
    notes++
    bytes += length
  }
  // Half of it is left for the last words and for what is counted.
  const isSilent = (): boolean => notes >= NOTES_MAX / 2 || bytes >= NOTES_BYTES_MAX / 2
  const at = (log: keyof Logger) => (message: string, fields?: Record<string, unknown>) => {
    if (isSilent()) {
      if (!silenced) note({ log: 'warn', message: 'further log lines of this invocation are dropped' })
      silenced = true
      return
    }
    const entries = Object.entries(fields ?? {}).map(([key, value]) => [key, plainField(value)] as const)
    try {
      note({ log, message, ...(fields ? { fields: Object.fromEntries(entries) } : {}) })
    } catch (error) {
      // A field that cannot be sent must cost the line its fields, not the function its life.
      note({ log, message: message.slice(0, CUT_CHARS), fields: { lost: String(error) } })
    }
  }
  const invocation: Invocation = {
    ...header,
    signal,
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    taskId: (taskId) => note({ taskId: taskId.slice(0, NOTE_TASK_CHARS_MAX) }),
    measure: (...measure) => note({ measure }),
  }
  return { invocation, notes: () => notes }
}
