/** Hands the lines of a spool folder over to Loki, in order, and forgets only what it took. */
import type { Batch } from './batch.ts'
import { readBatch } from './batch.ts'
import type { Entry } from './entry.ts'
import type { Push, Pushed, Source } from './loki.ts'
import type { SpoolFile, SpoolFiles } from './spool-files.ts'

export interface ShipOptions {
  source: Source
  files: SpoolFiles
  push: Push
  /** The file that somebody still writes to. */
  current: () => SpoolFile | undefined
  /** Told of each answer of Loki. */
  onPushed: (pushed: Pushed) => void
  /** Told of the bytes of a line that Loki refused although it came alone. */
  onRefused: (bytes: number, reason: string) => void
}

/** `sent`: there may be more. `empty`: there is nothing more now. */
export type Shipped = { kind: 'sent' } | { kind: 'empty' } | Extract<Pushed, { kind: 'retry' }>

/**
 * One line that Loki refuses must neither hold up nor take along those beside it: a batch that is refused is halved until
 * the line is alone. Halves that Loki took the first time come again as the same entries. `onDone` is told of each entry
 * that is over, in order.
 */
async function pushAll(
  entries: readonly Entry[],
  options: ShipOptions,
  signal: AbortSignal,
  onDone: (entry: Entry) => void,
): Promise<Pushed> {
  const { source, push, onPushed, onRefused } = options
  const pushed = await push(source, entries, signal)
  onPushed(pushed)
  if (pushed.kind === 'retry') return pushed
  if (pushed.kind === 'ok' || entries.length === 1) {
    if (pushed.kind === 'refused') onRefused(Buffer.byteLength(entries[0]!.line) + 1, pushed.reason)
    onDone(entries.at(-1)!)
    return { kind: 'ok' }
  }
  const middle = entries.length >> 1
  const first = await pushAll(entries.slice(0, middle), options, signal, onDone)
  return first.kind === 'ok' ? await pushAll(entries.slice(middle), options, signal, onDone) : first
}

/** Null when the bound let the file go before it could be read. */
async function batchOf(file: SpoolFile, { files, current }: ShipOptions): Promise<Batch | null> {
  try {
    return await readBatch(files, file, file === current())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** One push of the oldest file. The place is noted after Loki's answer: what is killed between comes twice. */
export async function shipNext(options: ShipOptions, signal: AbortSignal): Promise<Shipped> {
  const { files, current } = options
  const file = files.oldest()
  if (!file) return { kind: 'empty' }
  const batch = await batchOf(file, options)
  if (batch && batch.entries.length > 0) {
    let end = files.offsetOf(file)
    const pushed = await pushAll(batch.entries, options, signal, (entry) => (end = entry.end))
    if (end > files.offsetOf(file)) files.sent(file, Math.min(end, batch.end))
    if (pushed.kind === 'retry') return pushed
  }
  // What a second brought waits for the next: a push a line would be the price of haste.
  if (file === current()) return { kind: batch?.more ? 'sent' : 'empty' }
  if (!batch || batch.end >= file.bytes) files.remove(file)
  return { kind: 'sent' }
}
