/**
 * The size of a picture from its first bytes, as they stream by. Parsers of our own: image-size (2.1) reads no
 * orientation of WebP, PNG and AVIF, takes the largest of an AVIF's items instead of the primary one, and throws where
 * bytes are still to come.
 */
import { Buffer } from 'node:buffer'
import { MIB } from '#shared/limits.ts'
import type { InputFormat } from '#shared/variant.ts'
import { type Inspection, isHeader } from './header.ts'
import { avifHeader } from './header-avif.ts'
import { gifHeader } from './header-gif.ts'
import { jpegHeader } from './header-jpeg.ts'
import { pngHeader } from './header-png.ts'
import { webpHeader } from './header-webp.ts'

/** Bytes that are kept for the header: a CMYK profile alone pushes a JPEG's frame 545 KiB into the file. */
export const HEAD_BYTES_MAX = MIB

const PARSERS: Record<InputFormat, (bytes: Buffer) => Inspection> = {
  jpeg: jpegHeader,
  png: pngHeader,
  webp: webpHeader,
  gif: gifHeader,
  avif: avifHeader,
}

export interface Inspector {
  /** What is known with this chunk. */
  push(chunk: Uint8Array): Inspection
  /** What is known now that the file is whole. */
  end(): Inspection
}

/** Reads anew only when its bytes have doubled, so that a file in tiny chunks costs no more than one in large ones. */
export function inspector(format: InputFormat): Inspector {
  let chunks: Uint8Array[] = []
  let bytes = 0
  let readAt = 0
  let found: Inspection = 'more'
  let open = true
  const read = (): void => {
    readAt = bytes
    const head = Buffer.concat(chunks, bytes)
    chunks = [head]
    found = PARSERS[format](head)
    open = found === 'more' || (isHeader(found) && !found.upright)
  }
  const close = (): void => {
    open = false
    chunks = []
  }
  return {
    push(chunk) {
      if (!open) return found
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= readAt * 2 || bytes >= HEAD_BYTES_MAX) read()
      if (open && bytes >= HEAD_BYTES_MAX) {
        close()
        if (found === 'more') found = 'unknown'
      }
      if (!open) chunks = []
      return found
    },
    end() {
      if (open && bytes > readAt) read()
      close()
      // The whole file was seen, and its header is not whole.
      if (found === 'more') found = 'corrupt'
      return found
    },
  }
}
