import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { picture, type PictureOptions, pixels } from '../../test/pictures.ts'
import { busy, colourAt, decoded, expectBands, expectNear, meanError } from '../../test/pixels.ts'
import { type RenderingFolder, renderingFolder, spec } from './rendering.fixture.ts'
import { inspect } from './render.ts'

let folder: RenderingFolder
beforeAll(async () => {
  folder = await renderingFolder()
})
afterAll(async () => await folder[Symbol.asyncDispose]())

describe('pixels', () => {
  test('of the cascade are within one level of a careful pipeline of their own', async () => {
    const bytes = await busy(2400, 1800)
    const quality = 100
    const { all } = await folder.rendered(bytes, [spec(1024, 1024, { quality }), spec(800, 800, { quality })])
    for (const made of all) {
      const { width, height } = made.size
      const direct = sharp(bytes).resize(width, height, { fit: 'fill', fastShrinkOnLoad: false }).jpeg({ quality })
      const [ours, theirs] = await Promise.all([decoded(made.bytes), decoded(await direct.toBuffer())])
      expect(meanError(ours.data, theirs.data)).toBeLessThan(1)
    }
  })

  test.each([1, 3, 6, 8])('stand upright with EXIF orientation %i', async (orientation) => {
    const { found, all } = await folder.rendered(await picture({ orientation }), [spec(400, 400), spec(200, 200)])
    expect(found).toMatchObject({ width: 1200, height: 900 })
    for (const made of all) {
      expect(await decoded(made.bytes)).toMatchObject(made.size)
      await expectBands(made.bytes, 8)
    }
  })

  const kinds: Array<[name: string, options: PictureOptions, tolerance: number]> = [
    ['PNG', { format: 'png' }, 4],
    ['WebP', { format: 'webp' }, 10],
    ['AVIF', { format: 'avif' }, 10],
    ['GIF', { format: 'gif' }, 24],
    ['Display P3', { profile: 'p3' }, 6],
    ['16 bit', { format: 'png', sixteenBit: true }, 4],
    ['16 bit Display P3', { format: 'png', sixteenBit: true, profile: 'p3' }, 5],
    ['CMYK', { cmyk: true }, 60],
    // Its blue is not as bright as the screen's.
    ['CMYK with a profile', { cmyk: true, profile: 'cmyk' }, 75],
  ]
  test.each(kinds)('are sRGB with 8 bits, without metadata: %s', async (_name, options, tolerance) => {
    const { all } = await folder.rendered(await picture({ width: 600, height: 450, ...options }), [
      spec(300, 300),
      spec(90, 90),
    ])
    for (const made of all) {
      const header = await sharp(made.bytes).metadata()
      expect(header).toMatchObject({ format: 'jpeg', space: 'srgb', depth: 'uchar', channels: 3, hasProfile: false })
      expect([header.exif, header.xmp, header.iptc, header.orientation]).toEqual(Array(4).fill(undefined))
      await expectBands(made.bytes, tolerance)
    }
  })
})

describe('colour', () => {
  test('an embedded plain sRGB profile changes no byte, since it is not even looked at', async () => {
    const { icc } = await sharp(await picture({ width: 8, height: 8, profile: 'p3' })).metadata()
    // Says that it is plain sRGB and means P3: were it used, the colours would differ.
    icc!.write('IEC sRGB', 48, 'latin1')
    const marked = await picture({ width: 900, height: 600, profile: await folder.file(icc!) })
    const found = await inspect(await folder.file(marked))
    expect(found.profile).toBe('srgb')
    const ours = await folder.one(marked, spec(300, 300))
    // The same JPEG without its profile: APP2 (FF E2), then two bytes of length.
    const at = marked.indexOf(Buffer.from([0xff, 0xe2]))
    const plain = Buffer.concat([marked.subarray(0, at), marked.subarray(at + 2 + marked.readUInt16BE(at + 2))])
    expect((await inspect(await folder.file(plain))).profile).toBe('none')
    expect(ours.bytes.equals((await folder.one(plain, spec(300, 300))).bytes)).toBe(true)
    icc!.write('XXX xRGB', 48, 'latin1')
    const used = await folder.one(
      await picture({ width: 900, height: 600, profile: await folder.file(icc!) }),
      spec(300, 300),
    )
    expect(used.bytes.equals(ours.bytes)).toBe(false)
  })

  test("sharp's own sRGB profile is not used either: it would leave each of the 16.7 million colours as it is", async () => {
    const all = Buffer.alloc(4096 * 4096 * 3)
    for (let colour = 0; colour < 4096 * 4096; colour++) all.writeUIntBE(colour, colour * 3, 3)
    const image = sharp(all, { raw: { width: 4096, height: 4096, channels: 3 } }).withIccProfile('srgb')
    const marked = await image.png({ compressionLevel: 1 }).toBuffer()
    expect((await inspect(await folder.file(marked))).profile).toBe('srgb')
    // As it is converted where profiles are used.
    const converted = await sharp(marked).raw().toBuffer()
    expect(converted.equals(all)).toBe(true)
  })

  test.each(['jpeg', 'webp', 'avif'] as const)(
    'which comes out in the same bytes as without it: %s',
    async (format) => {
      const bytes = await sharp(await busy(900, 600))
        .withIccProfile('srgb')
        .toFormat(format)
        .toBuffer()
      const converted = await sharp(bytes).resize(300, 200, { fit: 'fill', kernel: 'cubic' }).png().toBuffer()
      const ours = await folder.one(bytes, spec(300, 300, { format: 'png' }))
      expect((await decoded(ours.bytes)).data.equals((await decoded(converted)).data)).toBe(true)
    },
  )

  test("16 bits are converted also with sharp's own profile, and so is another of its making", async () => {
    const deep = await sharp(await picture({ width: 60, height: 40, format: 'png', sixteenBit: true }))
      .toColourspace('rgb16')
      .withIccProfile('srgb')
      .png()
      .toBuffer()
    expect(await inspect(await folder.file(deep))).toMatchObject({ space: 'rgb16', profile: 'other' })
    const wide = await picture({ width: 60, height: 40, profile: 'p3' })
    expect((await inspect(await folder.file(wide))).profile).toBe('other')
  })

  test('any other profile is converted: shrinking first differs by less than one level', async () => {
    const bytes = await sharp(await busy(1600, 1200))
      .withIccProfile('p3')
      .jpeg({ quality: 95 })
      .toBuffer()
    const ours = await decoded((await folder.one(bytes, spec(500, 500, { format: 'png' }))).bytes)
    const theirs = await decoded(await sharp(bytes).resize(500, 375, { fit: 'fill' }).png().toBuffer())
    expect(meanError(ours.data, theirs.data)).toBeLessThan(1)
  })

  test.each(['b-w', 'grey16'])('grey stays grey: %s', async (space) => {
    const grey = sharp(pixels(300, 200), { raw: { width: 300, height: 200, channels: 3 } }).toColourspace(space)
    const made = await decoded((await folder.one(await grey.png().toBuffer(), spec(150, 150))).bytes)
    const [red, green, blue] = colourAt(made, 0.5, 0.5)
    expect(Math.max(red!, green!, blue!) - Math.min(red!, green!, blue!)).toBeLessThanOrEqual(1)
    expect(green).toBeGreaterThan(100)
  })
})

describe('alpha', () => {
  const half = async (): Promise<Buffer> => await picture({ width: 400, height: 300, format: 'png', alpha: true })

  test('lies on the background in a JPEG', async () => {
    for (const [background, rgb] of [
      ['#ff8000', [255, 128, 0]],
      ['#000000', [0, 0, 0]],
    ] as const) {
      const { all } = await folder.rendered(await half(), [spec(200, 200), spec(100, 100)], background)
      for (const { bytes } of all) {
        const image = await decoded(bytes)
        const right = [16, 16, 143].map((value, band) => (value * 96 + rgb[band]! * (255 - 96)) / 255)
        expectNear(colourAt(image, 5 / 6, 1 / 8), right, 8)
        expectNear(colourAt(image, 1 / 6, 1 / 8), [143, 16, 16], 8)
        expect(image.channels).toBe(3)
      }
    }
  })

  test('lies on a background that is sRGB, whatever the profile of the picture', async () => {
    const bytes = await picture({ width: 400, height: 300, format: 'png', alpha: true, profile: 'p3' })
    const image = await decoded((await folder.one(bytes, spec(200, 200), '#00ff00')).bytes)
    expectNear(colourAt(image, 5 / 6, 1 / 8), [6, 165, 54], 8)
    expect(image.channels).toBe(3)
  })

  test.each(['b-w', 'grey16'])('of a grey picture lies on a coloured background: %s', async (space) => {
    const grey = sharp(await half())
      .toColourspace(space)
      .png()
    const image = await decoded((await folder.one(await grey.toBuffer(), spec(200, 200), '#ff0000')).bytes)
    const [red, green] = colourAt(image, 5 / 6, 1 / 8)
    expect(red! - green!).toBeGreaterThan(120)
  })

  test.each(['webp', 'png', 'avif'] as const)('is kept in %s, beside a JPEG of the same picture', async (format) => {
    const { all } = await folder.rendered(await half(), [spec(200, 200, { format }), spec(100, 100)])
    const image = await decoded(all[0]!.bytes)
    expect(image.channels).toBe(4)
    expectNear(colourAt(image, 5 / 6, 1 / 8), [16, 16, 143, 96], 12)
    expect((await decoded(all[1]!.bytes)).channels).toBe(3)
  })

  test('auto is WebP where alpha is used, else JPEG', async () => {
    const auto = spec(100, 100, { format: 'auto' })
    const opaque = await sharp(await picture({ width: 300, height: 200 }))
      .ensureAlpha()
      .png()
      .toBuffer()
    expect((await folder.one(await half(), auto)).format).toBe('webp')
    expect((await folder.one(opaque, auto)).format).toBe('jpeg')
    expect((await folder.one(await picture({ width: 300, height: 200 }), auto)).format).toBe('jpeg')
  })
})
