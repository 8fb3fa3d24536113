/** Every option of POST /tasks: its values, its default, and the values just inside its limits. */
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import type { TaskRepresentation } from '#shared/representation.ts'
import { picture } from '../pictures.ts'
import { answerOf, taskOf, WAIT } from './client.ts'
import { colourAt, decoded, expectBands, expectClean, expectNear } from '../pixels.ts'
import type { Place } from './running.ts'

export function options(place: Place): void {
  const names = ({ variants }: TaskRepresentation): string[] =>
    variants.map(({ name, width, height }) => `${name} ${width}x${height}`)

  describe('option variants', () => {
    let cat: Buffer
    beforeAll(async () => {
      cat = await picture()
    })
    const sizes = async (variants: string): Promise<string[]> => names(await place.api.completed(cat, { variants }))

    it('WxH fits inside; Wx and xH fix one side; never enlarged', async () => {
      expect(await sizes('600x600,600x,x600,300x5000,5000x5000')).toEqual([
        '600x600 600x450',
        '600x 600x450',
        'x600 800x600',
        '300x5000 300x225',
        '5000x5000 1200x900',
      ])
    })

    it('WxH:cover fills and crops', async () => {
      const task = await place.api.completed(cat, { variants: '200x200:cover,400x100:cover' })
      expect(names(task)).toEqual(['200x200-cover 200x200', '400x100-cover 400x100'])
      const square = await place.api.bytes(task.variants[0]!.href)
      await expectClean(square, { width: 200, height: 200, format: 'jpeg' })
      // The middle 900 of 1200 pixels: the outer bands lose half of their width.
      expectNear(colourAt(await decoded(square), 0.5, 0.5), [64, 191, 64])
      expectNear(colourAt(await decoded(square), 0.1, 0.5), [191, 64, 64])
    })

    it('a cover larger than the original keeps its ratio and is not enlarged', async () => {
      expect(await sizes('8000x8000:cover')).toEqual(['8000x8000-cover 900x900'])
    })

    it('sides of 1 and of 8192 pixels are allowed', async () => {
      expect(await sizes('1x1,8192x8192,1x,x8192')).toEqual([
        '1x1 1x1',
        '8192x8192 1200x900',
        '1x 1x1',
        'x8192 1200x900',
      ])
    })

    it('sixteen variants are allowed', async () => {
      const variants = Array.from({ length: 16 }, (_, at) => `${at + 10}x`)
      expect(await sizes(variants.join(','))).toHaveLength(16)
    })

    it('position chooses what a cover keeps', async () => {
      const bright = await sharp({ create: { width: 600, height: 200, channels: 3, background: '#202020' } })
        .composite([{ input: await picture({ width: 150, height: 150, format: 'png' }), left: 440, top: 25 }])
        .png()
        .toBuffer()
      for (const position of ['attention', 'entropy']) {
        const task = await place.api.completed(bright, { variants: '200x200:cover', position })
        expect(task.variants[0]!.name).toBe(`200x200-cover-${position}`)
        const bytes = await place.api.bytes(task.variants[0]!.href)
        expectNear(colourAt(await decoded(bytes), 0.05, 0.5), [32, 32, 32], 60)
        const found = await sharp(bytes).stats()
        expect(found.channels[0]!.stdev).toBeGreaterThan(20)
      }
      const centre = await place.api.completed(bright, { variants: '200x200:cover', position: 'centre' })
      const cropped = await decoded(await place.api.bytes(centre.variants[0]!.href))
      expectNear(colourAt(cropped, 0.5, 0.5), [32, 32, 32])
    })

    it('JSON takes objects with name, width, height, fit, position, format and quality', async () => {
      const { id } = await place.api.completed(cat, { variants: '10x' })
      const hero = {
        name: 'hero',
        width: 300,
        height: 100,
        fit: 'cover',
        position: 'entropy',
        format: 'webp',
        quality: 40,
      }
      const response = await place.api.json({ taskId: id, variants: [hero, '90x', { height: 60 }] }, WAIT)
      const task = await taskOf(response)
      expect(task.variants).toMatchObject([
        { name: 'hero', width: 300, height: 100, mediaType: 'image/webp' },
        { name: '90x', width: 90, height: 68, mediaType: 'image/jpeg' },
        { name: 'x60', width: 80, height: 60, mediaType: 'image/jpeg' },
      ])
      expect(task.options.variants).toEqual([hero, '90x', 'x60'])
      await expectClean(await place.api.bytes(task.variants[0]!.href), { width: 300, height: 100, format: 'webp' })
    })
  })

  describe('option format', () => {
    const types: [string, string, 'jpeg' | 'webp' | 'heif' | 'png'][] = [
      ['jpeg', 'image/jpeg', 'jpeg'],
      ['webp', 'image/webp', 'webp'],
      ['avif', 'image/avif', 'heif'],
      ['png', 'image/png', 'png'],
    ]
    it.each(types)('%s makes every variant %s', async (format, mediaType, decoder) => {
      const task = await place.api.completed(await picture(), { format, variants: '240x240,90x90:cover' })
      expect(task.variants.map((variant) => variant.mediaType)).toEqual([mediaType, mediaType])
      const bytes = await place.api.bytes(task.variants[0]!.href)
      await expectClean(bytes, { width: 240, height: 180, format: decoder })
      await expectBands(bytes, 14)
    })

    it('auto is webp where alpha is used, else jpeg', async () => {
      const see = async (image: Buffer): Promise<string> => {
        return (await place.api.completed(image, { format: 'auto', variants: '100x' })).variants[0]!.mediaType
      }
      expect(await see(await picture({ width: 200, height: 150, alpha: true, format: 'png' }))).toBe('image/webp')
      expect(await see(await picture({ width: 200, height: 150 }))).toBe('image/jpeg')
      const opaque = await sharp(await picture({ width: 200, height: 150 }))
        .ensureAlpha()
        .png()
        .toBuffer()
      expect(await see(opaque)).toBe('image/jpeg')
    })
  })

  describe('option quality', () => {
    it.each(['jpeg', 'webp', 'avif'])('1 to 100: fewer bytes for less, in %s', async (format) => {
      const cat = await picture({ width: 300, height: 200 })
      const bytes = async (quality: string | null): Promise<number> => {
        const asked = quality === null ? {} : { quality }
        return (await place.api.completed(cat, { format, variants: '300x', ...asked })).variants[0]!.bytes
      }
      const [least, unsaid, most] = [await bytes('1'), await bytes(null), await bytes('100')]
      expect(least).toBeLessThan(unsaid)
      expect(unsaid).toBeLessThan(most)
      expect(await bytes({ jpeg: '80', webp: '79', avif: '60' }[format]!)).toBe(unsaid)
    })
  })

  describe('option background', () => {
    it.each([
      [undefined, [255, 255, 255]],
      ['black', [0, 0, 0]],
      ['#0f0', [0, 255, 0]],
      ['#102030', [16, 32, 48]],
    ])('%s lies behind alpha in a JPEG', async (background, colour) => {
      const image = await picture({ width: 300, height: 200, alpha: true, format: 'png' })
      const task = await place.api.completed(image, { variants: '300x', ...(background ? { background } : {}) })
      expect(task.variants).toMatchObject([{ mediaType: 'image/jpeg' }])
      const bytes = await place.api.bytes(task.variants[0]!.href)
      await expectClean(bytes, { width: 300, height: 200, format: 'jpeg' })
      // Opaque on the left; 96 of 255 on the right, over the background.
      expectNear(colourAt(await decoded(bytes), 0.16, 0.5), [191, 64, 64])
      const mixed = [64, 64, 191].map((own, band) => (own * 96 + colour[band]! * 159) / 255)
      expectNear(colourAt(await decoded(bytes), 0.84, 0.5), mixed)
    })
  })

  describe('option original', () => {
    it('discard removes the original once the task is completed', async () => {
      const task = await place.api.completed(await picture(), { original: 'discard', variants: '50x' })
      await expect
        .poll(async () => (await place.runtime.files()).filter((file) => file.includes(task.id)))
        .toEqual([`output/${task.id}/50x.jpg`])
      await expect.poll(async () => (await place.api.get(task.id)).links.original).toBeNull()
      expect(await answerOf(await place.api.fetch(`/tasks/${task.id}/original`))).toBe('404 original-gone')
      expect(await answerOf(await place.api.json({ taskId: task.id }))).toBe('409 original-gone')
    })

    it('discard keeps the original of a task that failed', async () => {
      const cut = (await picture()).subarray(0, 9_000)
      const task = await taskOf(await place.api.upload(cut, { original: 'discard' }, WAIT))
      expect(task).toMatchObject({ status: 'failed', error: { code: 'image-corrupt' } })
      expect(await place.api.bytes(task.links.original!)).toEqual(Buffer.from(cut))
    })
  })

  describe('option metadata', () => {
    const fill = (bytes: number): string => JSON.stringify({ k: 'ä'.repeat((bytes - 2) / 2) + 'x' })
    it('takes 20 pairs and 2 KiB, and gives them back', async () => {
      const cat = await picture({ width: 80, height: 60 })
      const pairs = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`key${at}`, `${at}`]))
      const many = await place.api.completed(cat, { metadata: JSON.stringify(pairs), variants: '9x' })
      expect(many.metadata).toEqual(pairs)
      const large = await taskOf(await place.api.upload(cat, { metadata: fill(2_048) }))
      expect(Buffer.byteLength(Object.entries(large.metadata).flat().join(''))).toBe(2_048)
    })

    it('refuses one pair and one byte more', async () => {
      const cat = await picture({ width: 80, height: 60 })
      const pairs = Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`key${at}`, '']))
      expect(await answerOf(await place.api.upload(cat, { metadata: JSON.stringify(pairs) }))).toBe(
        '400 invalid-request',
      )
      expect(await answerOf(await place.api.upload(cat, { metadata: fill(2_050) }))).toBe('400 invalid-request')
    })
  })
}
