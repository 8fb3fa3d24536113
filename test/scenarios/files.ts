/** Files that are no good picture, made byte by byte. */
import { crc32, deflateSync } from 'node:zlib'
import sharp from 'sharp'

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}

/** A PNG whose header is right, and whose pixels are a few zeros. */
export function pngHeader(width: number, height: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 8
  header[9] = 2
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
  const pixels = chunk('IDAT', deflateSync(Buffer.alloc(1_000)))
  return Buffer.concat([signature, chunk('IHDR', header), pixels, chunk('IEND', Buffer.alloc(0))])
}

/** 49 megapixels of one colour: about a kilobyte. */
export async function hugeAvif(): Promise<Buffer> {
  const create = { width: 7_000, height: 7_000, channels: 3 as const, background: '#a08060' }
  return await sharp({ create }).avif({ effort: 0, quality: 1 }).toBuffer()
}

/** The same picture with another size in its container (`ispe`): the pixels inside keep theirs. */
export function withSize(avif: Buffer, width: number, height: number): Buffer {
  const copy = Buffer.from(avif)
  for (let at = copy.indexOf('ispe'); at !== -1; at = copy.indexOf('ispe', at + 1)) {
    copy.writeUInt32BE(width, at + 8)
    copy.writeUInt32BE(height, at + 12)
  }
  return copy
}

/** Box header, brand, and nothing behind: what file pickers of phones send. */
export const heic = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'.padEnd(600, '\0'), 'latin1')

export const pdf = Buffer.from('%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n')

export const html = Buffer.from('<!doctype html><html><body><img src="x" onerror="alert(1)"></body></html>')

export const svg = Buffer.from(
  `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY passwd SYSTEM "file:///etc/passwd">]>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="900" height="900">
<image xlink:href="http://169.254.169.254/latest/meta-data/" width="90" height="90"/>
<image xlink:href="file:///etc/passwd" width="90" height="90"/><text>&passwd;</text></svg>`,
)

/** The same bytes, longer: JPEG decoders stop at its end marker. */
export function padded(jpeg: Buffer, bytes: number): Buffer {
  return Buffer.concat([jpeg, Buffer.alloc(bytes - jpeg.length)])
}
