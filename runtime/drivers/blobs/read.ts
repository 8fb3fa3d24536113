/** Reading a file from one descriptor, as fast as it is taken. */
import { createHash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import type { Blob, ByteRange } from '#shared/bindings.ts'
import { unavailable } from '#shared/errors.ts'
import { KIB } from '#shared/limits.ts'
import { reach, reachOrNull } from './faults.ts'

/** Bytes of one read. */
export const READ_BYTES = 64 * KIB

/** Opens a file for one reader; null when there is none. The body owns the descriptor. */
export async function readFile(path: string, range: ByteRange | undefined): Promise<Blob | null> {
  const handle = await reachOrNull(open(path, 'r'))
  if (handle === null) return null
  try {
    const stats = await reach(handle.stat())
    if (!stats.isFile()) {
      await handle.close()
      return null
    }
    const start = Math.min(range?.start ?? 0, stats.size)
    const end = Math.min((range?.end ?? Infinity) + 1, stats.size)
    const body = bodyOf(handle, start, Math.max(start, end))
    return { bytes: stats.size, modifiedAt: Math.trunc(stats.mtimeMs), body }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Bytes `start` to `end`, the latter excluded. Not of type 'bytes': that costs a BYOB request for each chunk. */
function bodyOf(handle: FileHandle, start: number, end: number): ReadableStream<Uint8Array> {
  let position = start
  let cancelled = false
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (position < end) {
          const chunk = await readAt(handle, position, Math.min(READ_BYTES, end - position))
          if (cancelled) return
          position += chunk.byteLength
          controller.enqueue(chunk)
        }
        if (position < end) return
        controller.close()
        await handle.close()
      },
      async cancel() {
        cancelled = true
        // Waits for a read that is under way.
        await handle.close()
      },
    },
    // Nothing is read before it is asked for: a HEAD or a client that left costs no read.
    { highWaterMark: 0 },
  )
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  try {
    const { buffer, bytesRead } = await reach(handle.read(Buffer.allocUnsafe(length), 0, length, position))
    // The length was promised to the reader. Files here never change, so something outside cut this one.
    if (bytesRead === 0) throw unavailable('blob store', new Error('file is shorter than when it was opened'))
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Size and hash of a file that is there. */
export async function describeFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const handle = await reach(open(path, 'r'))
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    let bytes = 0
    while (true) {
      const { bytesRead } = await reach(handle.read(buffer, 0, buffer.byteLength, bytes))
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') }
      hash.update(buffer.subarray(0, bytesRead))
      bytes += bytesRead
    }
  } finally {
    await handle.close()
  }
}
