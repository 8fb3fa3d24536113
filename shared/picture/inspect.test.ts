import { Buffer } from 'node:buffer'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { INPUT_FORMATS, type InputFormat } from '#shared/variant.ts'
import { animation, picture } from '../../test/pictures.ts'
import { exifOrientation } from './exif.ts'
import { type Inspection, isHeader } from './header.ts'
import { HEAD_BYTES_MAX, inspector } from './inspect.ts'

function* slices(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

function inspect(bytes: Uint8Array, format: InputFormat, size = 64 * 1024): Inspection {
  const reader = inspector(format)
  for (const chunk of slices(bytes, size)) reader.push(chunk)
  return reader.end()
}

const known = (width: number, height: number): Inspection => ({ width, height, pixels: width * height, upright: true })

describe.each(INPUT_FORMATS)('%s', (format) => {
  test('is read alike in one chunk and in single bytes', async () => {
    const bytes = await picture({ width: 123, height: 45, format })
    expect(inspect(bytes, format)).toEqual(known(123, 45))
    expect(inspect(bytes, format, 1)).toEqual(known(123, 45))
  })

  test('is never read wrong from a part of it', async () => {
    const bytes = await picture({ width: 123, height: 45, format })
    for (let length = 0; length < Math.min(bytes.length, 2_000); length++) {
      const found = inspector(format).push(bytes.subarray(0, length))
      expect(
        found === 'more' || (isHeader(found) && found.pixels === 123 * 45),
        `${length} bytes: ${JSON.stringify(found)}`,
      ).toBe(true)
    }
  })

  test('cut off within its header is corrupt once the file has ended', async () => {
    const bytes = await picture({ width: 123, height: 45, format })
    expect(inspect(bytes.subarray(0, 9), format)).toBe('corrupt')
  })

  test('no garbage makes it throw', async () => {
    const bytes = await picture({ width: 64, height: 64, format, orientation: 6 })
    for (let at = 0; at < Math.min(bytes.length, 1_200); at++) {
      for (const value of [0, 0x7f, 0xff]) {
        const copy = Buffer.from(bytes)
        copy[at] = value
        expect(() => inspect(copy, format)).not.toThrow()
      }
    }
  })
})

test.each(INPUT_FORMATS.filter((format) => format !== 'gif'))(
  '%s is measured upright, as libvips does',
  async (format) => {
    for (const orientation of [1, 3, 6, 8]) {
      const bytes = await picture({ width: 90, height: 60, format, orientation })
      const { autoOrient } = await sharp(bytes).metadata()
      expect(autoOrient).toEqual({ width: 90, height: 60 })
      expect(inspect(bytes, format), `orientation ${orientation}`).toEqual(known(90, 60))
    }
  },
)

test.each([
  { alpha: true, format: 'webp' as const },
  { alpha: true, format: 'avif' as const },
  { alpha: true, format: 'png' as const },
  { sixteenBit: true, format: 'png' as const },
  { cmyk: true, format: 'jpeg' as const },
])('%o', async (options) => {
  expect(inspect(await picture({ width: 70, height: 30, ...options }), options.format)).toEqual(known(70, 30))
})

test('lossless WebP, animations and interlaced pictures', async () => {
  const source = sharp(await picture({ width: 81, height: 41 }))
  expect(inspect(await source.clone().webp({ lossless: true }).toBuffer(), 'webp')).toEqual(known(81, 41))
  expect(inspect(await source.clone().jpeg({ progressive: true }).toBuffer(), 'jpeg')).toEqual(known(81, 41))
  expect(inspect(await source.clone().png({ progressive: true }).toBuffer(), 'png')).toEqual(known(81, 41))
  expect(inspect(await animation(3, 'gif', 16, 12), 'gif')).toEqual(known(16, 12))
  expect(inspect(await animation(3, 'webp', 16, 12), 'webp')).toEqual(known(16, 12))
})

test('a WebP whose EXIF was not reached yet has its size, but not its way up', async () => {
  const bytes = await picture({ width: 90, height: 60, format: 'webp', orientation: 6 })
  const found = inspector('webp').push(bytes.subarray(0, bytes.length - 20))
  expect(found).toEqual({ width: 60, height: 90, pixels: 5_400, upright: false })
})

/** A segment of `bytes` bytes that no parser needs. */
function padding(bytes: number): Buffer {
  const blocks: Buffer[] = []
  for (let left = bytes; left > 0; left -= 65_535) {
    const length = Math.min(left, 65_533)
    const block = Buffer.alloc(length + 2)
    block.writeUInt16BE(0xffe2, 0)
    block.writeUInt16BE(length, 2)
    blocks.push(block)
  }
  return Buffer.concat(blocks)
}

test('a JPEG whose frame stands far in the file is read up to the limit, and left to the decoder beyond it', async () => {
  const jpeg = await picture({ width: 40, height: 20 })
  const padded = (bytes: number) => Buffer.concat([jpeg.subarray(0, 2), padding(bytes), jpeg.subarray(2)])
  expect(inspect(padded(HEAD_BYTES_MAX - 70_000), 'jpeg')).toEqual(known(40, 20))
  expect(inspect(padded(HEAD_BYTES_MAX + 1_000), 'jpeg')).toBe('unknown')
  expect(inspect(padded(HEAD_BYTES_MAX + 1_000), 'jpeg', 512)).toBe('unknown')
})

test('fill bytes and garbage between segments are passed over, as libjpeg does', async () => {
  const jpeg = await picture({ width: 40, height: 20 })
  const odd = Buffer.concat([jpeg.subarray(0, 2), Buffer.from([0xff, 0xff, 0xff, 0x01, 0x12, 0x34]), jpeg.subarray(2)])
  expect(inspect(odd, 'jpeg')).toEqual(known(40, 20))
  expect((await sharp(odd).metadata()).width).toBe(40)
})

test('what no decoder takes is corrupt', async () => {
  expect(inspect(Buffer.from([0xff, 0xd8, 0xff, 0xd9]), 'jpeg')).toBe('corrupt')
  const png = await picture({ width: 5, height: 5, format: 'png' })
  png.writeUInt32BE(0, 16)
  expect(inspect(png, 'png')).toBe('corrupt')
})

/** Puts bytes into a box and raises its size and those of the boxes around it. */
function insert(avif: Buffer, at: number, bytes: Buffer, around: readonly string[]): Buffer {
  const grown = Buffer.concat([avif.subarray(0, at), bytes, avif.subarray(at)])
  for (const type of around) {
    const box = grown.indexOf(type) - 4
    grown.writeUInt32BE(grown.readUInt32BE(box) + bytes.length, box)
  }
  return grown
}

test('an AVIF is its primary item, not the largest or the first one', async () => {
  const bytes = await picture({ width: 90, height: 60, format: 'avif' })
  // Another ispe at the end of ipco, and in front of ipma's entries one of an item 0 that has it.
  const ispe = Buffer.from('0000001469737065000000000000270f0000270f', 'hex')
  const ipco = bytes.indexOf('ipco') - 4
  let index = 1
  for (let at = ipco + 8; at < ipco + bytes.readUInt32BE(ipco); at += bytes.readUInt32BE(at)) index++
  const withSize = insert(bytes, bytes.indexOf('ipma') - 4, ispe, ['meta', 'iprp', 'ipco'])
  expect(inspect(withSize, 'avif')).toEqual(known(90, 60))
  const entries = withSize.indexOf('ipma') + 8
  const withItem = insert(withSize, entries + 4, Buffer.from([0, 0, 1, index]), ['meta', 'iprp', 'ipma'])
  withItem.writeUInt32BE(withItem.readUInt32BE(entries) + 1, entries)
  expect(inspect(withItem, 'avif')).toEqual(known(90, 60))
  // The same, with that item as the primary one.
  withItem.writeUInt16BE(0, withItem.indexOf('pitm') + 8)
  expect(inspect(withItem, 'avif')).toEqual(known(9_999, 9_999))
})

test('an AVIF says its size in few bytes, however large it is', async () => {
  const bytes = await sharp({ create: { width: 5_000, height: 4_000, channels: 3, background: 'red' } })
    .avif({ quality: 1, effort: 0 })
    .toBuffer()
  expect(inspect(bytes.subarray(0, 1_000), 'avif')).toEqual(known(5_000, 4_000))
})

test.each([
  ['a crop', 50, 40],
  ['a crop that lies outside', 900, 900],
])('%s is obeyed where it fits', async (_name, width, height) => {
  const bytes = await picture({ width: 90, height: 60, format: 'avif', orientation: 6 })
  // The nine bytes of irot make room for nothing else, so a clap is put before it in ipco and its index is referred to.
  const irot = bytes.indexOf('irot') - 4
  const clap = Buffer.alloc(40)
  clap.writeUInt32BE(40, 0)
  clap.write('clap', 4, 'latin1')
  for (const [index, value] of [width, 1, height, 1, 0, 1, 0, 1].entries()) clap.writeUInt32BE(value, 8 + index * 4)
  const grown = insert(bytes, irot, clap, ['meta', 'iprp', 'ipco'])
  // The association that was irot's index is clap's now, so nothing is turned.
  expect(inspect(grown, 'avif')).toMatchObject(width < 90 ? { width, height } : { width: 60, height: 90 })
})

test('EXIF in both byte orders, with and without its prefix; nonsense is upright', () => {
  const tiff = (order: 'II' | 'MM', value: number): Buffer => {
    const bytes = Buffer.alloc(26)
    const short = (number: number, at: number) =>
      order === 'II' ? bytes.writeUInt16LE(number, at) : bytes.writeUInt16BE(number, at)
    bytes.write(order, 0)
    short(42, 2)
    if (order === 'II') bytes.writeUInt32LE(8, 4)
    else bytes.writeUInt32BE(8, 4)
    short(1, 8)
    short(0x0112, 10)
    short(3, 12)
    short(value, 18)
    return bytes
  }
  expect(exifOrientation(tiff('II', 6))).toBe(6)
  expect(exifOrientation(tiff('MM', 8))).toBe(8)
  expect(exifOrientation(Buffer.concat([Buffer.from('Exif\0\0'), tiff('MM', 5)]))).toBe(5)
  expect(exifOrientation(tiff('II', 9))).toBe(1)
  expect(exifOrientation(tiff('II', 6).subarray(0, 12))).toBe(1)
  expect(exifOrientation(Buffer.from('garbage'))).toBe(1)
  const far = tiff('II', 6)
  far.writeUInt32LE(0xffffffff, 4)
  expect(exifOrientation(far)).toBe(1)
})
