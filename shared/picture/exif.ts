import type { Buffer } from 'node:buffer'

const EXIF_PREFIX = 'Exif\0\0'
const ORIENTATION_TAG = 0x0112
const SHORT = 3
const ENTRY_BYTES = 12

/** The orientation, 1 to 8, of an EXIF block (TIFF 6.0 header and first IFD, with or without `Exif\0\0`); 1 when it has none. */
export function exifOrientation(block: Buffer): number {
  const tiff = block.toString('latin1', 0, 6) === EXIF_PREFIX ? block.subarray(6) : block
  if (tiff.length < 8) return 1
  const order = tiff.toString('latin1', 0, 2)
  if (order !== 'II' && order !== 'MM') return 1
  const short = (at: number): number => (order === 'II' ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at))
  const start = order === 'II' ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4)
  if (start + 2 > tiff.length) return 1
  const entries = short(start)
  for (let i = 0, at = start + 2; i < entries && at + ENTRY_BYTES <= tiff.length; i++, at += ENTRY_BYTES) {
    if (short(at) !== ORIENTATION_TAG || short(at + 2) !== SHORT) continue
    const value = short(at + 8)
    return value >= 1 && value <= 8 ? value : 1
  }
  return 1
}
