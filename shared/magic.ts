/** What the first bytes of a file say it is. They decide, never a header or a name. */
import type { InputFormat } from './variant.ts'

/** Bytes that are looked at of a longer file: an SVG may begin with a long comment, and file-type asks for as many. */
export const MAGIC_BYTES = 4_100

const ACCEPTED: ReadonlyArray<[magic: string, format: InputFormat]> = [
  ['\xff\xd8\xff', 'jpeg'],
  ['\x89PNG\r\n\x1a\n', 'png'],
  ['GIF87a', 'gif'],
  ['GIF89a', 'gif'],
]

/** What people send instead of a picture that we take. */
const REFUSED: ReadonlyArray<[magic: string, name: string]> = [
  ['II*\0', 'TIFF'],
  ['MM\0*', 'TIFF'],
  ['%PDF', 'PDF'],
  ['BM', 'BMP'],
  ['8BPS', 'a Photoshop document'],
  ['\xff\x0a', 'JPEG XL'],
  ['\0\0\0\x0cJXL ', 'JPEG XL'],
  ['\0\0\0\x0cjP  ', 'JPEG 2000'],
  ['\0\0\x01\0', 'an icon'],
  ['PK\x03\x04', 'a ZIP archive'],
  ['\x1f\x8b', 'gzip'],
]

const AVIF_BRANDS: ReadonlySet<string> = new Set(['avif', 'avis'])
const HEIC_BRANDS: ReadonlySet<string> = new Set(['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis'])

function latin1(head: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...head.subarray(from, to))
}

/** Of a file type box: major, then the compatible ones (ISO/IEC 14496-12 §4.3). A file may call itself `mif1` and list `avif`. */
function brandsOf(head: Uint8Array): string[] {
  if (head.length < 12 || latin1(head, 4, 8) !== 'ftyp') return []
  const end = Math.min(new DataView(head.buffer, head.byteOffset).getUint32(0), head.length)
  const brands = [latin1(head, 8, 12)]
  for (let at = 16; at + 4 <= end; at += 4) brands.push(latin1(head, at, at + 4))
  return brands
}

/** Null for what is none that we take. */
export function formatOf(head: Uint8Array): InputFormat | null {
  const start = latin1(head, 0, 12)
  const accepted = ACCEPTED.find(([magic]) => start.startsWith(magic))
  if (accepted) return accepted[1]
  if (start.startsWith('RIFF') && start.startsWith('WEBP', 8)) return 'webp'
  return brandsOf(head).some((brand) => AVIF_BRANDS.has(brand)) ? 'avif' : null
}

/** UTF-8 without the control characters that tell bytes from text; null for anything else. */
function textOf(head: Uint8Array): string | null {
  try {
    // As a stream, so that a character cut off at the end is no fault; it also takes away a byte order mark.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    return /[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? null : text.trimStart()
  } catch {
    return null
  }
}

/** Markup has no magic bytes: it is known by its first tag. An SVG may begin with whatever XML may. */
export function markupOf(head: Uint8Array): 'SVG' | 'HTML' | 'XML' | null {
  const text = textOf(head.subarray(0, MAGIC_BYTES))
  if (text === null || !text.startsWith('<')) return null
  if (/^<(?:!doctype html|html|head|body|script)/i.test(text)) return 'HTML'
  if (/<svg[\s/>]/i.test(text)) return 'SVG'
  if (text.startsWith('<!--')) return 'HTML'
  return /^<\?xml/i.test(text) ? 'XML' : null
}

/** Of what no format is known; null where the bytes are nothing that we know. */
export function nameOf(head: Uint8Array): string | null {
  if (head.length === 0) return 'empty'
  const brands = brandsOf(head)
  if (brands.length > 0) return brands.some((brand) => HEIC_BRANDS.has(brand)) ? 'HEIC' : 'a video or another container'
  const start = latin1(head, 0, 16)
  const refused = REFUSED.find(([magic]) => start.startsWith(magic))
  return refused?.[1] ?? markupOf(head) ?? (textOf(head.subarray(0, MAGIC_BYTES)) === null ? null : 'text')
}
