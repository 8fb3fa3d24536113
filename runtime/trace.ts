/** W3C Trace Context (level 1): taken in where it is well-formed, made where it is not. */
import { randomBytes } from 'node:crypto'

const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/

// One read of the random source serves many ids: it is a system call each.
const POOL_BYTES = 4_096
let pool = Buffer.alloc(0)
let used = 0

export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    pool = randomBytes(POOL_BYTES)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}

/** A traceparent of the caller's trace with a span of our own, or of a new trace. */
export function childTraceparent(parent: string | null | undefined): string {
  const match = parent ? TRACEPARENT.exec(parent) : null
  return `00-${match?.[1] ?? randomHex(16)}-${randomHex(8)}-${match?.[2] ?? '01'}`
}

export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35)
}
