import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { animation, bitFlipped, picture, type PictureOptions, pixels, truncated } from './pictures.ts'

/** Colours in the middle of the three bands at the top, upright and in the picture's own colour space. */
async function bands(bytes: Buffer): Promise<number[][]> {
  const { data, info } = await sharp(bytes).autoOrient().removeAlpha().raw().toBuffer({ resolveWithObject: true })
  const row = Math.floor(info.height / 8)
  return [1, 3, 5].map((sixth) => {
    const at = (row * info.width + Math.floor((info.width * sixth) / 6)) * info.channels
    return Array.from(data.subarray(at, at + 3))
  })
}

function expectBands(found: number[][], tolerance: number): void {
  for (const [band, colour] of found.entries()) {
    for (const [channel, value] of colour.entries()) {
      expect(Math.abs(value - (channel === band ? 143 : 16))).toBeLessThanOrEqual(tolerance)
    }
  }
}

const KINDS: Array<[name: string, options: PictureOptions, header: Record<string, unknown>, tolerance: number]> = [
  ['JPEG', {}, { format: 'jpeg', hasAlpha: false, hasProfile: false }, 4],
  ['PNG', { format: 'png' }, { format: 'png', depth: 'uchar' }, 1],
  ['WebP', { format: 'webp' }, { format: 'webp' }, 8],
  ['AVIF', { format: 'avif' }, { format: 'heif', compression: 'av1' }, 8],
  ['GIF', { format: 'gif' }, { format: 'gif' }, 24],
  ['TIFF', { format: 'tiff' }, { format: 'tiff' }, 4],
  ['alpha', { format: 'png', alpha: true }, { hasAlpha: true, channels: 4 }, 1],
  ['P3', { profile: 'p3' }, { hasProfile: true }, 4],
  ['16 bit', { format: 'png', sixteenBit: true }, { space: 'rgb16', bitsPerSample: 16 }, 1],
  // Not even sharp itself converts these when it is not told how: what is read here are the values in P3.
  ['16 bit P3', { format: 'png', sixteenBit: true, profile: 'p3' }, { space: 'rgb16', hasProfile: true }, 60],
  ['CMYK', { cmyk: true }, { space: 'cmyk', channels: 4, hasProfile: false }, 60],
  ['CMYK with a profile', { cmyk: true, profile: 'cmyk' }, { space: 'cmyk', hasProfile: true }, 60],
]

describe('a picture', () => {
  test.each(KINDS)('%s', async (_name, options, header, tolerance) => {
    const bytes = await picture({ width: 120, height: 90, ...options })
    expect(await sharp(bytes).metadata()).toMatchObject({ width: 120, height: 90, ...header })
    expectBands(await bands(bytes), tolerance)
  })

  test.each([1, 3, 6, 8])('is stored turned for orientation %i, and upright when it is obeyed', async (orientation) => {
    const bytes = await picture({ width: 120, height: 90, orientation })
    const header = await sharp(bytes).metadata()
    expect(header).toMatchObject({ orientation, autoOrient: { width: 120, height: 90 } })
    expect(header.width).toBe(orientation > 4 ? 90 : 120)
    expectBands(await bands(bytes), 6)
  })

  test('is turned and in P3', async () => {
    const bytes = await picture({ width: 120, height: 90, orientation: 6, profile: 'p3' })
    const { orientation, icc } = await sharp(bytes).metadata()
    const p3 = await sharp(await picture({ width: 8, height: 8, profile: 'p3' })).metadata()
    expect(orientation).toBe(6)
    expect(icc?.equals(p3.icc ?? Buffer.alloc(0))).toBe(true)
  })

  test('has half its pixels half transparent', () => {
    const data = pixels(4, 1, 4)
    expect([data[3], data[7], data[11], data[15]]).toEqual([255, 255, 96, 96])
  })
})

test.each(['gif', 'webp'] as const)('an animated %s', async (format) => {
  expect(await sharp(await animation(3, format)).metadata()).toMatchObject({
    format,
    pages: 3,
    width: 160,
    height: 120,
  })
})

test('a truncated picture cannot be decoded', async () => {
  await expect(
    sharp(truncated(await picture()), { failOn: 'truncated' })
      .raw()
      .toBuffer(),
  ).rejects.toThrow(/premature/i)
})

test('flipped bits are where the seed says, and spare the beginning', () => {
  const bytes = Buffer.alloc(100)
  expect(bitFlipped(bytes, 1)).toEqual(bitFlipped(bytes, 1))
  expect(bitFlipped(bytes, 1)).not.toEqual(bitFlipped(bytes, 2))
  for (let seed = 0; seed < 50; seed++) expect(bitFlipped(bytes, seed, 8, 90).subarray(0, 90)).toEqual(Buffer.alloc(90))
})
