/** Pictures of every kind come out upright, in sRGB, clean, and never enlarged. */
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { animation, picture, type PictureOptions } from '../pictures.ts'
import { colourAt, decoded, expectBandOrder, expectBands, expectClean, expectNear, NEAR } from '../pixels.ts'
import type { Place } from './running.ts'

export function looksRight(place: Place): void {
  describe('comes out right', () => {
    const small = async (image: Buffer, options: Record<string, string> = {}) => {
      const task = await place.api.completed(image, { variants: '300x300', ...options })
      return { task, bytes: await place.api.bytes(task.variants[0]!.href) }
    }
    const plain: [string, PictureOptions][] = [
      ['a JPEG', {}],
      ['a PNG', { format: 'png' }],
      ['a WebP', { format: 'webp' }],
      ['a GIF', { format: 'gif' }],
      ['an AVIF', { format: 'avif' }],
      ['orientation 1', { orientation: 1 }],
      ['orientation 3', { orientation: 3 }],
      ['orientation 6', { orientation: 6 }],
      ['orientation 8', { orientation: 8 }],
      ['orientation 6 of a WebP', { orientation: 6, format: 'webp' }],
      ['orientation 6 of a PNG', { orientation: 6, format: 'png' }],
      ['an sRGB profile', { profile: 'srgb' }],
      ['16 bits', { sixteenBit: true, format: 'png' }],
      ['a Display P3 profile', { profile: 'p3', quality: 95 }],
      ['a Display P3 profile, orientation 8', { profile: 'p3', quality: 95, orientation: 8 }],
      ['a Display P3 profile with 16 bits', { profile: 'p3', sixteenBit: true, format: 'png' }],
    ]
    it.each(plain)('%s', async (_name, options) => {
      const { task, bytes } = await small(await picture(options))
      expect(task.source).toMatchObject({ width: 1200, height: 900, mediaType: `image/${options.format ?? 'jpeg'}` })
      await expectClean(bytes, { width: 300, height: 225, format: 'jpeg' })
      // Closer than the difference that a dropped P3 profile makes.
      await expectBands(bytes, options.format === 'gif' ? 16 : NEAR)
    })

    it('CMYK', async () => {
      const { task, bytes } = await small(await picture({ cmyk: true, profile: 'cmyk' }))
      expect(task.variants).toMatchObject([{ width: 300, height: 225 }])
      await expectClean(bytes, { width: 300, height: 225, format: 'jpeg' })
      await expectBandOrder(bytes)
    })

    it('greyscale, as colour', async () => {
      const grey = await sharp(await picture())
        .greyscale()
        .toColourspace('b-w')
        .jpeg()
        .toBuffer()
      const { bytes } = await small(grey)
      const colour = colourAt(await decoded(bytes), 0.5, 0.5)
      expect(Math.max(...colour) - Math.min(...colour)).toBeLessThan(4)
      expect(await sharp(bytes).metadata()).toMatchObject({ width: 300, height: 225, depth: 'uchar' })
    })

    it.each(['webp', 'png', 'avif'])('alpha, kept in a %s', async (format) => {
      const { bytes } = await small(await picture({ alpha: true, format: 'png' }), { format })
      const { data, info } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true })
      const alphaAt = (x: number): number => data[(100 * info.width + Math.round(x * info.width)) * 4 + 3]!
      expect(alphaAt(0.2)).toBe(255)
      expect(Math.abs(alphaAt(0.8) - 96)).toBeLessThan(4)
      await expectBands(await sharp(bytes).removeAlpha().png().toBuffer(), 14)
    })

    it('16 bits with alpha, flattened', async () => {
      const { task, bytes } = await small(await picture({ alpha: true, sixteenBit: true, format: 'png' }))
      expect(task.variants).toMatchObject([{ mediaType: 'image/jpeg' }])
      await expectClean(bytes, { width: 300, height: 225, format: 'jpeg' })
      expectNear(colourAt(await decoded(bytes), 0.16, 0.5), [191, 64, 64])
    })

    it.each(['gif', 'webp'] as const)('the first frame of an animated %s, with a warning', async (format) => {
      const { task, bytes } = await small(await animation(3, format))
      expect(task.source).toMatchObject({ width: 160, height: 120, frames: 3 })
      expect(task.warnings).toEqual([expect.stringContaining('first')])
      await expectClean(bytes, { width: 160, height: 120, format: 'jpeg' })
      expectNear(colourAt(await decoded(bytes), 0.5, 0.5), [0, 90, 200])
    })

    it('a small picture, never enlarged', async () => {
      const { task } = await small(await picture({ width: 31, height: 17 }), { variants: '1024x1024,20x20,8000x' })
      expect(task.variants).toMatchObject([
        { width: 31, height: 17 },
        { width: 20, height: 11 },
        { width: 31, height: 17 },
      ])
    })

    it.each([
      [1, 1],
      [1, 3_000],
      [3_000, 1],
    ])('%i × %i pixels', async (width, height) => {
      const { task, bytes } = await small(await picture({ width, height, format: 'png' }))
      const scale = Math.min(1, 300 / Math.max(width, height))
      const expected = { width: Math.max(1, width * scale), height: Math.max(1, height * scale) }
      expect(task.variants).toMatchObject([expected])
      expect(await sharp(bytes).metadata()).toMatchObject(expected)
    })

    it('both sizes from the original: 6000 × 4000 gives 800 × 533', async () => {
      const { task } = await small(await picture({ width: 6_000, height: 4_000 }), { variants: '1024x1024,800x800' })
      expect(task.variants).toMatchObject([
        { width: 1024, height: 683 },
        { width: 800, height: 533 },
      ])
    })

    it('colour and placeholder tell how it looks', async () => {
      const flat = await sharp({ create: { width: 90, height: 60, channels: 3, background: '#a08060' } })
        .png()
        .toBuffer()
      const { task } = await small(flat)
      expect(task.color).toBe('#a08060')
    })

    it('says nothing of the place where it was taken', async () => {
      const placed = await sharp(await picture())
        .withExif({ IFD0: { Artist: 'Somebody' }, IFD3: { GPSLatitude: '52/1 31/1 0/1' } })
        .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
        .jpeg()
        .toBuffer()
      expect((await sharp(placed).metadata()).exif?.toString('latin1')).toContain('Somebody')
      const { bytes } = await small(placed)
      await expectClean(bytes, { width: 300, height: 225, format: 'jpeg' })
      expect(bytes.toString('latin1')).not.toContain('Somebody')
    })
  })
}
