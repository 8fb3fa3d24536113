/** The bytes to be stored, taken one chunk at a time and only for as long as they are wanted. */
import type { ByteSource } from '#shared/bindings.ts'

/**
 * Yields the source's chunks. Rejects with the signal's reason as soon as it aborts, even while the source owes a chunk:
 * a connection that broke may never settle its stream. A source that is not read to its end is told so.
 */
export async function* chunksOf(source: ByteSource, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) {
    yield source
    return
  }
  const iterator = source[Symbol.asyncIterator]()
  let ended = false
  try {
    while (true) {
      signal?.throwIfAborted()
      const next = await unlessAborted(iterator.next(), signal)
      if (next.done === true) {
        ended = true
        return
      }
      yield next.value
    }
  } finally {
    // Not awaited: a generator that is stuck answers return() only once it is no longer stuck.
    if (!ended) void Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
