/**
 * Keeps the memory of large uploads small. What arrives of one is memory outside V8's heap, in buffers that are garbage
 * as soon as they are written; V8 sees little hurry and lets 64 MB of them stand. So the young generation is collected
 * while a large upload runs, which takes about a millisecond: 200 MB then cost some 20 MB at the peak. (A small young
 * generation for the whole process did the same, and cost every request 8 % of its CPU.)
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { MIB } from '#shared/limits.ts'

/** A body below this cannot hold enough garbage to matter. */
const LARGE_BYTES = 8 * MIB
/** Collected each time so much has arrived. */
const STEP_BYTES = 4 * MIB
const LOOK_MS = 5

type Collect = (options: { type: 'minor' }) => void

function youngCollector(): () => void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as Collect
  return () => gc({ type: 'minor' })
}

function mayBeLarge({ headers, method }: IncomingMessage): boolean {
  if (method === 'GET' || method === 'HEAD') return false
  const length = headers['content-length']
  return length === undefined ? headers['transfer-encoding'] !== undefined : Number(length) >= LARGE_BYTES
}

export function relieveUploads(server: Server): void {
  const uploads = new Map<IncomingMessage, Socket>()
  let collect: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  let seen = 0
  const arrived = (): number => [...uploads.values()].reduce((sum, { bytesRead }) => sum + bytesRead, 0)
  const look = (): void => {
    const now = arrived()
    if (now - seen < STEP_BYTES) return
    seen = now
    collect ??= youngCollector()
    collect()
  }
  server.on('request', (incoming) => {
    if (!mayBeLarge(incoming)) return
    uploads.set(incoming, incoming.socket)
    seen = arrived()
    timer ??= setInterval(look, LOOK_MS)
    incoming.once('close', () => {
      uploads.delete(incoming)
      seen = arrived()
      if (uploads.size > 0) return
      clearInterval(timer)
      timer = undefined
    })
  })
}
