/** Looks at pictures that came out: size, colours at places, and what must not be in them. */
import sharp, { type Metadata } from 'sharp'
import { expect } from 'vitest'

export interface Decoded {
  data: Buffer
  width: number
  height: number
  channels: number
}

export async function decoded(bytes: Uint8Array): Promise<Decoded> {
  const { data, info } = await sharp(bytes).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height, channels: info.channels }
}

/** Pixels on each side of a place that its colour is the mean of. */
const SPOT = 3
/** What encoders and scaling may change in a flat region, of 255. */
export const NEAR = 10

/** Bands of a spot around a place, both 0 to 1. */
export function colourAt({ data, width, height, channels }: Decoded, x: number, y: number): number[] {
  const sums = Array<number>(channels).fill(0)
  let seen = 0
  const [left, top] = [Math.round(x * (width - 1)), Math.round(y * (height - 1))]
  for (let row = Math.max(0, top - SPOT); row <= Math.min(height - 1, top + SPOT); row++) {
    for (let column = Math.max(0, left - SPOT); column <= Math.min(width - 1, left + SPOT); column++) {
      const at = (row * width + column) * channels
      for (let band = 0; band < channels; band++) sums[band]! += data[at + band]!
      seen++
    }
  }
  return sums.map((sum) => sum / seen)
}

/** Of the bands that are wanted. */
export function expectNear(found: readonly number[], wanted: readonly number[], tolerance = NEAR): void {
  const off = Math.max(...wanted.map((value, band) => Math.abs(value - found[band]!)))
  expect(off, `${found.join()} instead of ${wanted.join()}`).toBeLessThanOrEqual(tolerance)
}

export interface Expected {
  width: number
  height: number
  format: 'jpeg' | 'webp' | 'png' | 'heif'
}

/** 8-bit sRGB without profile, orientation or any other metadata, of this size: what every variant is. */
export async function expectClean(bytes: Uint8Array, { width, height, format }: Expected): Promise<Metadata> {
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

const BAND_MIDDLES = [0.16, 0.5, 0.84]

/** The three bands of test/pictures.ts: red, green, blue from left to right, lighter to the bottom; upright, in sRGB. */
export async function expectBands(bytes: Uint8Array, tolerance = NEAR): Promise<void> {
  const image = await decoded(bytes)
  for (const [band, x] of BAND_MIDDLES.entries()) {
    for (const y of [0.25, 0.75]) {
      const light = y * 128
      expectNear(
        colourAt(image, x, y),
        [0, 1, 2].map((at) => light + (at === band ? 127 : 0)),
        tolerance,
      )
    }
  }
}

/** The same bands where a profile has moved the colours: the strongest one decides. */
export async function expectBandOrder(bytes: Uint8Array): Promise<void> {
  const image = await decoded(bytes)
  for (const [band, x] of BAND_MIDDLES.entries()) {
    const colour = colourAt(image, x, 0.4)
    expect({ x, colour, strongest: colour.indexOf(Math.max(...colour)) }).toMatchObject({ strongest: band })
  }
  const light = (y: number): number => colourAt(image, 0.5, y).reduce((sum, value) => sum + value, 0)
  expect(light(0.9)).toBeGreaterThan(light(0.1))
}

export function meanError(a: Buffer, b: Buffer): number {
  expect(a.length).toBe(b.length)
  return a.reduce((sum, value, index) => sum + Math.abs(value - b[index]!), 0) / a.length
}

/** As hard as a photograph: waves of all lengths, edges, grain. */
export async function busy(width: number, height: number): Promise<Buffer> {
  const data = Buffer.alloc(width * height * 3)
  let grain = 1
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at += 3) {
      grain = (Math.imul(grain, 1664525) + 1013904223) >>> 0
      const edge = (Math.floor(x / 97) + Math.floor(y / 61)) % 2 === 0 ? 40 : 0
      const wave = 60 * Math.sin((x * x) / 90_000) + 30 * Math.cos(y / 11)
      for (let band = 0; band < 3; band++) data[at + band] = 90 + edge + wave / (band + 1) + (grain >>> 28)
    }
  }
  return await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 92 })
    .toBuffer()
}
