import type { Buffer } from 'node:buffer'
import { exifOrientation } from './exif.ts'
import { type Inspection, perhapsTurned, upright } from './header.ts'

const FIRST_CHUNK = 12
const CHUNK_HEADER_BYTES = 8
const DATA = FIRST_CHUNK + CHUNK_HEADER_BYTES
const EXIF_FLAG = 0x08
const VP8L_SIGNATURE = 0x2f

/** The canvas or frame size of a WebP (RFC 9649 §2.5 to 2.7). Its EXIF follows the pixels, often beyond the bytes at hand. */
export function webpHeader(bytes: Buffer): Inspection {
  if (bytes.length < DATA + 10) return 'more'
  switch (bytes.toString('latin1', FIRST_CHUNK, FIRST_CHUNK + 4)) {
    case 'VP8 ':
      return lossy(bytes)
    case 'VP8L':
      return lossless(bytes)
    case 'VP8X':
      return extended(bytes)
    default:
      return 'unknown'
  }
}

/** RFC 6386 §9.1: three bytes of frame tag, the start code, then 14 bits for each side. */
function lossy(bytes: Buffer): Inspection {
  const keyFrame = (bytes[DATA]! & 1) === 0
  if (!keyFrame || bytes.readUIntBE(DATA + 3, 3) !== 0x9d012a) return 'corrupt'
  const size = { width: bytes.readUInt16LE(DATA + 6) & 0x3fff, height: bytes.readUInt16LE(DATA + 8) & 0x3fff }
  return size.width === 0 || size.height === 0 ? 'corrupt' : upright(size, 1)
}

function lossless(bytes: Buffer): Inspection {
  if (bytes[DATA] !== VP8L_SIGNATURE) return 'corrupt'
  const bits = bytes.readUInt32LE(DATA + 1)
  return upright({ width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }, 1)
}

function extended(bytes: Buffer): Inspection {
  const size = { width: bytes.readUIntLE(DATA + 4, 3) + 1, height: bytes.readUIntLE(DATA + 7, 3) + 1 }
  if ((bytes[DATA]! & EXIF_FLAG) === 0) return upright(size, 1)
  const end = CHUNK_HEADER_BYTES + bytes.readUInt32LE(4)
  for (let at = FIRST_CHUNK; at < end;) {
    if (at + CHUNK_HEADER_BYTES > bytes.length) return perhapsTurned(size)
    const start = at + CHUNK_HEADER_BYTES
    const length = bytes.readUInt32LE(at + 4)
    if (bytes.toString('latin1', at, at + 4) === 'EXIF') {
      if (start + length > bytes.length) return perhapsTurned(size)
      return upright(size, exifOrientation(bytes.subarray(start, start + length)))
    }
    // Chunks are padded to an even length.
    at = start + length + (length & 1)
  }
  return upright(size, 1)
}
