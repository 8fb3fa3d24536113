import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { animation, bitFlipped, picture, type PictureOptions, truncated } from '../../test/pictures.ts'
import { busy, colourAt, decoded, expectBands, expectNear } from '../../test/pixels.ts'
import { type RenderingFolder, renderingFolder, spec } from './rendering.fixture.ts'
import { PermanentFailure } from './failure.ts'
import { inspect, render, transcode } from './render.ts'

let folder: RenderingFolder
beforeAll(async () => {
  folder = await renderingFolder()
})
afterAll(async () => await folder[Symbol.asyncDispose]())

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'none',
    (error: unknown) => (error instanceof PermanentFailure ? error.code : `not permanent: ${String(error)}`),
  )
}

describe('size', () => {
  test('comes from the original for every variant: 6000 × 4000 gives 800 × 533', async () => {
    const bytes = await picture({ width: 6000, height: 4000 })
    const { all } = await folder.rendered(bytes, [spec(800, 800), spec(1024, 1024), spec(null, 77)])
    const sizes = await Promise.all(all.map(async ({ bytes: made, size }) => [size, await decoded(made)] as const))
    for (const [size, made] of sizes) expect(made).toMatchObject(size)
    expect(sizes.map(([{ width, height }]) => `${width}x${height}`)).toEqual(['800x533', '1024x683', '116x77'])
  })

  test.each([
    [spec(1024, 1024), 320, 240],
    [spec(2048, null), 320, 240],
    [spec(640, 640, { fit: 'cover' }), 240, 240],
  ])('is never enlarged: %o', async (variant, width, height) => {
    const made = await folder.one(await picture({ width: 320, height: 240 }), variant)
    expect(made.size).toEqual({ width, height })
    expect(await decoded(made.bytes)).toMatchObject({ width, height })
  })

  test('of one pixel, and of a line', async () => {
    const dot = await folder.rendered(await picture({ width: 1, height: 1 }), [
      spec(800, 800),
      spec(1, 1, { fit: 'cover' }),
    ])
    expect(dot.all.map(({ size }) => size)).toEqual([
      { width: 1, height: 1 },
      { width: 1, height: 1 },
    ])
    expect(dot.look.placeholder).not.toBe('')
    const line = await folder.rendered(await picture({ width: 3000, height: 2, format: 'png' }), [
      spec(100, 100),
      spec(50, 50),
    ])
    expect(line.all.map(({ size }) => size)).toEqual([
      { width: 100, height: 1 },
      { width: 50, height: 1 },
    ])
  })

  test('cover fills its box from the same decode, at each position', async () => {
    const bytes = await picture({ width: 1200, height: 900 })
    const positions = ['centre', 'attention', 'entropy'] as const
    const variants = positions.map((position) => spec(300, 300, { fit: 'cover', position, name: position }))
    const { all } = await folder.rendered(bytes, [...variants, spec(1000, 100, { fit: 'cover' }), spec(200, 200)])
    const boxes = await Promise.all(all.map(async ({ bytes: made }) => await decoded(made)))
    expect(boxes.map(({ width, height }) => `${width}x${height}`)).toEqual([
      ...positions.map(() => '300x300'),
      '1000x100',
      '200x150',
    ])
    // The middle 900 of 1200 pixels: the left and right bands keep 150 of 400 each.
    expectNear(colourAt(boxes[0]!, 0.05, 0.12), [143, 16, 16], 12)
    expectNear(colourAt(boxes[0]!, 0.95, 0.12), [16, 16, 143], 12)
  })

  test('beyond what is held in memory is streamed, and the rest still made from one decode', async () => {
    const bytes = await picture({ width: 4000, height: 3000, orientation: 6, profile: 'p3' })
    const { all } = await folder.rendered(bytes, [spec(400, 400), spec(4000, 3000)])
    for (const made of all) {
      expect(await decoded(made.bytes)).toMatchObject(made.size)
      await expectBands(made.bytes, 6)
    }
  })
})

describe('formats', () => {
  test.each(['jpeg', 'webp', 'avif'] as const)('quality decides the size of a %s', async (format) => {
    const bytes = await busy(400, 300)
    const sizes = await Promise.all(
      [90, null, 10].map(
        async (quality) => (await folder.one(bytes, spec(400, 400, { format, quality }))).bytes.length,
      ),
    )
    expect(sizes[0]).toBeGreaterThan(sizes[1]!)
    expect(sizes[1]).toBeGreaterThan(sizes[2]!)
  })

  test('a PNG has all its colours, whatever quality was asked for', async () => {
    const made = await folder.one(await busy(400, 300), spec(200, 200, { format: 'png', quality: 50 }))
    expect(await sharp(made.bytes).metadata()).toMatchObject({ format: 'png', isPalette: false })
  })

  test.each(['webp', 'avif'] as const)('a finished JPEG becomes %s', async (format) => {
    const made = await folder.one(await picture(), spec(300, 300))
    const bytes = await transcode(await folder.file(made.bytes), format)
    expect(await sharp(bytes).metadata()).toMatchObject({ format: format === 'avif' ? 'heif' : format, width: 300 })
    await expectBands(bytes, 12)
  })

  test.each(['gif', 'webp'] as const)('only the first frame of an animated %s is used', async (format) => {
    const { found, all } = await folder.rendered(await animation(3, format), [spec(80, 80)])
    expect(found).toMatchObject({ frames: 3, width: 160, height: 120 })
    expectNear(colourAt(await decoded(all[0]!.bytes), 0.5, 0.5), [0, 90, 200], 6)
  })
})

describe('what is refused', () => {
  test.each([
    ['SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'],
    ['text', 'no picture at all'],
    ['nothing', ''],
  ])('%s is no image', async (_name, bytes) => {
    expect(await codeOf(inspect(await folder.file(bytes)))).toBe('unsupported-image')
  })

  test('what libvips could decode besides is not even opened', async () => {
    const tiff = await picture({ width: 30, height: 30, format: 'tiff' })
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    for (const bytes of [tiff, svg]) {
      expect(await codeOf(inspect(await folder.file(bytes)))).toBe('unsupported-image')
      await expect(sharp(bytes).metadata()).rejects.toThrow(/unsupported image format/)
      await expect(sharp(await folder.file(bytes)).metadata()).rejects.toThrow(/unsupported image format/)
    }
  })

  test.each(['jpeg', 'png', 'webp', 'gif', 'avif'] as const)('a truncated %s is corrupt', async (format) => {
    const options: PictureOptions = format === 'png' || format === 'gif' ? { alpha: true } : {}
    const bytes = truncated(await picture({ width: 600, height: 450, format, ...options }))
    expect(await codeOf(folder.rendered(bytes, [spec(200, 200)]))).toBe('image-corrupt')
  })

  test('60 pictures with flipped bits are rendered or refused, and nothing else', async () => {
    const sources = await Promise.all(
      (['jpeg', 'png', 'webp', 'gif', 'avif'] as const).map(async (format) => {
        return await picture({ width: 160, height: 120, format })
      }),
    )
    const codes: Record<string, number> = {}
    for (let seed = 0; seed < 60; seed++) {
      const code = await codeOf(
        folder.rendered(bitFlipped(sources[seed % 5]!, seed, 12), [spec(100, 100), spec(50, 50)]),
      )
      codes[code] = (codes[code] ?? 0) + 1
    }
    expect(Object.keys(codes).toSorted()).toEqual(['image-corrupt', 'none', 'unsupported-image'])
  })

  test('what the machine lacks is not blamed on the picture', async () => {
    const missing = join(folder.path, 'missing')
    expect(await codeOf(inspect(missing))).toMatch(/not permanent: .*missing/)
  })

  test('a picture larger than was allowed is not decoded', async () => {
    const path = await folder.file(await picture({ width: 200, height: 100 }))
    const allowed = { ...(await inspect(path)), width: 100 }
    expect(await codeOf(render(path, allowed, { variants: [spec(50, 50)], background: '#ffffff' }))).toBe(
      'image-corrupt',
    )
  })
})
