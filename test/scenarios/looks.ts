/** Looks at pictures that came out: size, colours at places, and what must not be in them. */
import sharp, { type Metadata } from 'sharp'
import { expect } from 'vitest'

export interface Colour {
  r: number
  g: number
  b: number
}

/** Mean colour of a spot around a place, both 0 to 1, alpha ignored. */
export async function colourAt(bytes: Buffer, x: number, y: number): Promise<Colour> {
  const { data, info } = await sharp(bytes)
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
  const radius = 3
  const sums = [0, 0, 0]
  let seen = 0
  const [cx, cy] = [Math.round(x * (info.width - 1)), Math.round(y * (info.height - 1))]
  for (let row = Math.max(0, cy - radius); row <= Math.min(info.height - 1, cy + radius); row++) {
    for (let column = Math.max(0, cx - radius); column <= Math.min(info.width - 1, cx + radius); column++) {
      const at = (row * info.width + column) * info.channels
      for (let band = 0; band < 3; band++) sums[band]! += data[at + Math.min(band, info.channels - 1)]!
      seen++
    }
  }
  const [r, g, b] = sums.map((sum) => sum / seen) as [number, number, number]
  return { r, g, b }
}

/** The larger of the differences of red, green and blue, 0 to 255. */
export function distance(a: Colour, b: Colour): number {
  return Math.max(...(['r', 'g', 'b'] as const).map((band) => Math.abs(a[band] - b[band])))
}

/** What encoders and scaling may change in a flat region. */
export const NEAR = 10

function expectNear(colour: Colour, expected: Colour, tolerance: number): void {
  if (distance(colour, expected) <= tolerance) return
  throw new Error(`expected a colour near ${JSON.stringify(expected)}, got ${JSON.stringify(colour)}`)
}

export interface Expected {
  width: number
  height: number
  format: 'jpeg' | 'webp' | 'png' | 'heif'
}

/** 8-bit sRGB without profile, orientation or any other metadata, of this size: what every variant is. */
export async function expectClean(bytes: Buffer, { width, height, format }: Expected): Promise<Metadata> {
  const found = await sharp(bytes).metadata()
  expect({ format: found.format, width: found.width, height: found.height }).toEqual({ format, width, height })
  expect({ space: found.space, depth: found.depth, pages: found.pages ?? 1 }).toEqual({
    space: 'srgb',
    depth: 'uchar',
    pages: 1,
  })
  const { icc, exif, xmp, iptc, orientation } = found
  expect({ icc, exif, xmp, iptc, orientation }).toEqual({})
  return found
}

/** The three bands of test/pictures.ts: red, green, blue from left to right, lighter to the bottom. */
export async function expectBands(bytes: Buffer, tolerance = NEAR): Promise<void> {
  const places = [0.16, 0.5, 0.84]
  for (const [band, x] of places.entries()) {
    for (const y of [0.25, 0.75]) {
      const light = y * 128
      const [r, g, b] = [0, 1, 2].map((at) => light + (at === band ? 127 : 0)) as [number, number, number]
      expectNear(await colourAt(bytes, x, y), { r, g, b }, tolerance)
    }
  }
}

/** The same bands where a profile has moved the colours: the strongest one decides. */
export async function expectBandOrder(bytes: Buffer): Promise<void> {
  for (const [band, x] of [0.16, 0.5, 0.84].entries()) {
    const colour = Object.values(await colourAt(bytes, x, 0.4))
    expect({ x, colour, strongest: colour.indexOf(Math.max(...colour)) }).toMatchObject({ strongest: band })
  }
  const [above, below] = [await colourAt(bytes, 0.5, 0.1), await colourAt(bytes, 0.5, 0.9)]
  expect(below.r + below.b).toBeGreaterThan(above.r + above.b)
}
