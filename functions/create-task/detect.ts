/** The bytes decide what an image is, never a header or a name. */
import type { Buffer } from 'node:buffer'
import type { InputFormat } from '#shared/variant.ts'

/** Bytes that are looked at; file-type asks for 4100. */
export const MAGIC_BYTES = 4_100

const PNG_SIGNATURE = '\x89PNG\r\n\x1a\n'
const AVIF_BRANDS: ReadonlySet<string> = new Set(['avif', 'avis'])

/** The brands of a file type box: major, then the compatible ones (ISO/IEC 14496-12 §4.3). */
function brands(head: Buffer): string[] {
  if (head.length < 16 || head.toString('latin1', 4, 8) !== 'ftyp') return []
  const end = Math.min(head.readUInt32BE(0), head.length)
  const found = [head.toString('latin1', 8, 12)]
  for (let at = 16; at + 4 <= end; at += 4) found.push(head.toString('latin1', at, at + 4))
  return found
}

export function detectFormat(head: Buffer): InputFormat | null {
  const start = head.toString('latin1', 0, 12)
  if (start.startsWith('\xff\xd8\xff')) return 'jpeg'
  if (start.startsWith(PNG_SIGNATURE)) return 'png'
  if (start.startsWith('GIF87a') || start.startsWith('GIF89a')) return 'gif'
  if (start.startsWith('RIFF') && start.endsWith('WEBP')) return 'webp'
  return brands(head).some((brand) => AVIF_BRANDS.has(brand)) ? 'avif' : null
}

/** Markup has no magic bytes: it is known by its first tag, after a byte order mark, blanks, comments and a prologue. */
function markup(text: string): string | null {
  const start = text.replace(/^(?:\xef\xbb\xbf|\ufeff)?\s*/, '').toLowerCase()
  if (!start.startsWith('<')) return null
  if (start.includes('<svg')) return 'SVG'
  if (/^<(?:!doctype html|html|head|body|script|!--)/.test(start)) return 'HTML'
  return start.startsWith('<?xml') ? 'XML' : null
}

function isText(head: Buffer): boolean {
  try {
    // As a stream, so that a character cut off at the end is no fault.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    // oxlint-disable-next-line no-control-regex -- these are what tells bytes from text
    return !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text)
  } catch {
    return false
  }
}

const NAMES: Record<string, string> = { tif: 'TIFF', jp2: 'JPEG 2000', jxl: 'JPEG XL' }

/** Names what was found instead of an image, for the person who sent it: `SVG`, `TIFF (image/tiff)`, `text`. */
export async function describeBytes(head: Buffer): Promise<string> {
  const marked = markup(head.toString('latin1', 0, 1_024))
  if (marked) return marked
  // Only the refused pay for loading it.
  const { fileTypeFromBuffer } = await import('file-type')
  const type = await fileTypeFromBuffer(head).catch(() => undefined)
  if (type) return `${NAMES[type.ext] ?? type.ext.toUpperCase()} (${type.mime})`
  // file-type looks for its directory, which often ends the file.
  if (/^(?:II\*\0|MM\0\*)/.test(head.toString('latin1', 0, 4))) return 'TIFF (image/tiff)'
  return isText(head) ? 'text' : 'bytes of no known type'
}
