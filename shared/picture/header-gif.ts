import type { Buffer } from 'node:buffer'
import { type Inspection, upright } from './header.ts'

/** The logical screen (GIF89a §18). One without area takes the size of its frames, which only a decoder knows. */
export function gifHeader(bytes: Buffer): Inspection {
  if (bytes.length < 10) return 'more'
  const size = { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8) }
  return size.width === 0 || size.height === 0 ? 'unknown' : upright(size, 1)
}
