/** What the first bytes of a file say it is. They decide, never a header or a name. */
import type { InputFormat } from '#shared/variant.ts'

/** Bytes that sniff needs to see of a longer file; an SVG may begin with a long comment. */
export const SNIFF_BYTES = 4_096

export type Sniffed = { format: InputFormat } | { format: null; name: string | null }

const AVIF_BRANDS: ReadonlySet<string> = new Set(['avif', 'avis'])
const HEIC_BRANDS: ReadonlySet<string> = new Set(['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis'])

/** ISO/IEC 14496-12 §4.3: major brand, version, compatible brands. A file may call itself `mif1` and list `avif`. */
function isoMedia(bytes: Buffer): Sniffed {
  const end = Math.min(bytes.readUInt32BE(0), bytes.length)
  const brands: string[] = [bytes.toString('latin1', 8, 12)]
  for (let at = 16; at + 4 <= end; at += 4) brands.push(bytes.toString('latin1', at, at + 4))
  if (brands.some((brand) => AVIF_BRANDS.has(brand))) return { format: 'avif' }
  return {
    format: null,
    name: brands.some((brand) => HEIC_BRANDS.has(brand)) ? 'HEIC' : 'a video or another container',
  }
}

const ACCEPTED: ReadonlyArray<[magic: string, format: InputFormat]> = [
  ['\xff\xd8\xff', 'jpeg'],
  ['\x89PNG\r\n\x1a\n', 'png'],
  ['GIF87a', 'gif'],
  ['GIF89a', 'gif'],
]

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

/** UTF-8 without control characters but white space; the head may end in the middle of a character. */
function textOf(bytes: Buffer): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    // oxlint-disable-next-line no-control-regex
    return /[\0-\x08\x0b\x0e-\x1f]/.test(text) ? null : text.trimStart()
  } catch {
    return null
  }
}

function kindOfText(text: string | null): string | null {
  if (text === null) return null
  if (!text.startsWith('<')) return 'text'
  if (/^<(!doctype html|html|head|body)/i.test(text)) return 'HTML'
  return /<svg[\s>]/i.test(text) ? 'SVG' : 'XML'
}

export function sniff(head: Uint8Array): Sniffed {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength)
  if (bytes.length === 0) return { format: null, name: 'empty' }
  const start = bytes.toString('latin1', 0, 16)
  const accepted = ACCEPTED.find(([magic]) => start.startsWith(magic))
  if (accepted) return { format: accepted[1] }
  if (start.startsWith('RIFF') && start.startsWith('WEBP', 8)) return { format: 'webp' }
  if (start.length >= 12 && start.startsWith('ftyp', 4)) return isoMedia(bytes)
  const refused = REFUSED.find(([magic]) => start.startsWith(magic))
  return { format: null, name: refused?.[1] ?? kindOfText(textOf(bytes.subarray(0, SNIFF_BYTES))) }
}
