/** Bytes to put into a store, and bytes that came out of one. */
import { createHash } from 'node:crypto'
import type { Blob } from '#shared/bindings.ts'

/** Not a multiple of any read size, and several of each. */
export const MANY_BYTES = 300_007

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export async function* chunked(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

export async function bytesOf(blob: Blob | null): Promise<Buffer | null> {
  return blob === null ? null : Buffer.from(await new Response(blob.body).arrayBuffer())
}

/** Null as bytesOf. Compared instead of bytes: a runner takes minutes to print how two large arrays differ. */
export async function hashOf(blob: Blob | null): Promise<string | null> {
  const bytes = await bytesOf(blob)
  return bytes === null ? null : sha256(bytes)
}

/** A source that gives `first` and then waits for whatever comes next. */
export function gated(first: Uint8Array) {
  const gate = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  let closed = false
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield first
      reached.resolve()
      await gate.promise
      yield first
    } finally {
      closed = true
    }
  }
  return { source: source(), reached: reached.promise, open: () => gate.resolve(), closed: () => closed }
}
