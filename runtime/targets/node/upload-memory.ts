/**
 * Keeps the memory of uploads small, and their collections cheap. What arrives is memory outside V8's heap, in buffers
 * that are garbage as soon as they are written; V8 sees little hurry, lets 64 MB of them stand, and then collects
 * everything. So the young generation is collected each time STEP_BYTES have arrived: 200 MB then cost some 20 MB at
 * the peak, and a picture of 3 MB costs half the CPU. (A small young generation for the whole process did the first,
 * and cost every request 8 % of its CPU.)
 */
import type { IncomingMessage, Server } from 'node:http'
import { KIB, MIB } from '#shared/limits.ts'
import { letHeapGrow, youngCollector } from './heap.ts'

/** Smaller bodies make as much garbage on the heap as beside it: V8 sees that itself. */
const UPLOAD_BYTES_MIN = 512 * KIB
/** Collected each time so much has arrived. */
const STEP_BYTES = 4 * MIB
const LOOK_MS = 5

function isUpload({ headers, method }: IncomingMessage): boolean {
  if (method === 'GET' || method === 'HEAD') return false
  const length = headers['content-length']
  return length === undefined ? headers['transfer-encoding'] !== undefined : Number(length) >= UPLOAD_BYTES_MIN
}

export function relieveUploads(server: Server): void {
  letHeapGrow()
  /** Each with the bytes that its connection had brought before, and of each only what is not counted yet. */
  const uploads = new Map<IncomingMessage, number>()
  let uncounted = 0
  let collect: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  const look = (): void => {
    for (const [incoming, before] of uploads) {
      const { bytesRead } = incoming.socket
      uncounted += bytesRead - before
      uploads.set(incoming, bytesRead)
    }
    if (uncounted < STEP_BYTES) return
    uncounted = 0
    collect ??= youngCollector()
    collect()
  }
  server.on('request', (incoming) => {
    if (!isUpload(incoming)) return
    uploads.set(incoming, incoming.socket.bytesRead)
    timer ??= setInterval(look, LOOK_MS)
    incoming.once('close', () => {
      look()
      uploads.delete(incoming)
      if (uploads.size > 0) return
      clearInterval(timer)
      timer = undefined
    })
  })
}
