/** What a picture's header says of its size, read without decoding a pixel. */
import type { Size } from '#shared/variant.ts'

export interface Header extends Size {
  /** Of the frame that a decoder would make, before any crop. */
  pixels: number
  /** False when an orientation may stand further on in the file: then width and height may have to be swapped. */
  upright: boolean
}

/** `more`: needs more bytes. `corrupt`: no decoder would take it. `unknown`: not read here, a decoder may know better. */
export type Inspection = Header | 'more' | 'corrupt' | 'unknown'

export function isHeader(inspection: Inspection): inspection is Header {
  return typeof inspection === 'object'
}

/** EXIF orientations 5 to 8 lie on their side. */
export function upright({ width, height }: Size, orientation: number): Header {
  const pixels = width * height
  return orientation >= 5
    ? { width: height, height: width, pixels, upright: true }
    : { width, height, pixels, upright: true }
}

/** The same, where the orientation was not seen yet. */
export function perhapsTurned({ width, height }: Size): Header {
  return { width, height, pixels: width * height, upright: false }
}
