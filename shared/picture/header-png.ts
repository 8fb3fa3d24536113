import type { Buffer } from 'node:buffer'
import { exifOrientation } from './exif.ts'
import { type Inspection, perhapsTurned, upright } from './header.ts'

const SIGNATURE_BYTES = 8
/** Length, type and checksum around a chunk's data (PNG 3rd edition §5.3). */
const CHUNK_BYTES = 12
const SIDE_MAX = 2 ** 31 - 1

/** IHDR, then the chunks up to the first pixel data for an eXIf. */
export function pngHeader(bytes: Buffer): Inspection {
  if (bytes.length < SIGNATURE_BYTES + 16) return 'more'
  // Apple's own variant begins with CgBI; whether it is decoded is not ours to say.
  if (bytes.toString('latin1', 12, 16) !== 'IHDR') return 'unknown'
  const size = { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }
  if (size.width === 0 || size.height === 0 || size.width > SIDE_MAX || size.height > SIDE_MAX) return 'corrupt'
  for (let at = SIGNATURE_BYTES; at + 8 <= bytes.length;) {
    const length = bytes.readUInt32BE(at)
    const type = bytes.toString('latin1', at + 4, at + 8)
    if (type === 'IDAT' || type === 'IEND') return upright(size, 1)
    if (type === 'eXIf') {
      if (at + 8 + length > bytes.length) return perhapsTurned(size)
      return upright(size, exifOrientation(bytes.subarray(at + 8, at + 8 + length)))
    }
    at += CHUNK_BYTES + length
  }
  return perhapsTurned(size)
}
