/** Looking at pictures: what a test reads from the pixels of a result. */
import sharp from 'sharp'
import { expect } from 'vitest'

export interface Decoded {
  data: Buffer
  width: number
  height: number
  channels: number
}

export async function decoded(bytes: Uint8Array): Promise<Decoded> {
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height, channels: info.channels }
}

export function colourAt({ data, width, height, channels }: Decoded, x: number, y: number): number[] {
  const at = (Math.floor(y * height) * width + Math.floor(x * width)) * channels
  return Array.from(data.subarray(at, at + channels))
}

export function expectNear(found: readonly number[], wanted: readonly number[], tolerance: number): void {
  const off = Math.max(...wanted.map((value, index) => Math.abs(value - found[index]!)))
  expect(off, `${found.join()} instead of ${wanted.join()}`).toBeLessThanOrEqual(tolerance)
}

/** The picture that test/pictures.ts draws, upright and in sRGB. */
export async function expectBands(bytes: Uint8Array, tolerance: number): Promise<void> {
  const image = await decoded(bytes)
  for (const [x, wanted] of [
    [1 / 6, [143, 16, 16]],
    [3 / 6, [16, 143, 16]],
    [5 / 6, [16, 16, 143]],
  ] as const) {
    expectNear(colourAt(image, x, 1 / 8), wanted, tolerance)
  }
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
