import type { Buffer } from 'node:buffer'
import { exifOrientation } from './exif.ts'
import { type Inspection, upright } from './header.ts'

const SOI = 0xd8
const EOI = 0xd9
const SOS = 0xda
const APP1 = 0xe1

/** SOF0 to SOF15, without DHT, JPG and DAC, which share their range (ITU-T T.81 table B.1). */
function isStartOfFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc
}

/** Markers without a length: stuffed zero, TEM, RST0 to RST7. */
function standsAlone(marker: number): boolean {
  return marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd7)
}

/** Walks the segments of a JPEG to its frame header, past garbage between them as libjpeg does. */
export function jpegHeader(bytes: Buffer): Inspection {
  let orientation = 1
  for (let at = 2; ;) {
    at = bytes.indexOf(0xff, at)
    if (at === -1) return 'more'
    while (bytes[at] === 0xff) at++
    const marker = bytes[at++]
    if (marker === undefined) return 'more'
    if (standsAlone(marker)) continue
    // A scan, an end or a second start before any frame.
    if (marker === SOS || marker === EOI || marker === SOI) return 'corrupt'
    if (at + 2 > bytes.length) return 'more'
    const length = bytes.readUInt16BE(at)
    if (length < 2) return 'corrupt'
    if (isStartOfFrame(marker)) {
      if (at + 7 > bytes.length) return 'more'
      const size = { height: bytes.readUInt16BE(at + 3), width: bytes.readUInt16BE(at + 5) }
      // A height that follows in DNL is 0 here; libjpeg does not decode it.
      return size.width === 0 || size.height === 0 ? 'corrupt' : upright(size, orientation)
    }
    if (marker === APP1 && bytes.toString('latin1', at + 2, at + 8) === 'Exif\0\0') {
      if (at + length > bytes.length) return 'more'
      orientation = exifOrientation(bytes.subarray(at + 2, at + length))
    }
    at += length
  }
}
