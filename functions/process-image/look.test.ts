import { thumbHashToApproximateAspectRatio, thumbHashToAverageRGBA } from 'thumbhash'
import { describe, expect, test } from 'vitest'
import { pixels } from '../../test/pictures.ts'
import { type Frame, lookOf } from './look.ts'

function flat(width: number, height: number, rgba: number[]): Frame {
  const channels = rgba.length === 4 ? 4 : 3
  return { width, height, channels, data: Buffer.from(Array.from({ length: width * height }, () => rgba).flat()) }
}

describe('lookOf', () => {
  test('gives the mean colour, and a ThumbHash of the same colour and shape', () => {
    const { placeholder, color } = lookOf(flat(120, 60, [160, 128, 96]))
    expect(color).toBe('#a08060')
    const hash = Buffer.from(placeholder, 'base64')
    const { r, g, b } = thumbHashToAverageRGBA(hash)
    for (const [got, wanted] of [
      [r, 160],
      [g, 128],
      [b, 96],
    ] as const) {
      expect(Math.abs(got * 255 - wanted)).toBeLessThan(8)
    }
    expect(Math.abs(thumbHashToApproximateAspectRatio(hash) - 2)).toBeLessThan(0.7)
  })

  test('the mean of a picture is near that of all its pixels', () => {
    const frame: Frame = { width: 300, height: 200, channels: 3, data: pixels(300, 200) }
    const found = lookOf(frame)
      .color!.match(/[0-9a-f]{2}/g)!
      .map((hex) => Number.parseInt(hex, 16))
    for (const [band, value] of found.entries()) {
      let sum = 0
      for (let at = band; at < frame.data.length; at += 3) sum += frame.data[at]!
      expect(Math.abs(value - sum / (300 * 200))).toBeLessThan(2)
    }
  })

  test('what is transparent tints nothing', () => {
    const frame = flat(10, 10, [255, 0, 0, 255])
    for (let at = 0; at < 200; at += 4) frame.data.set([0, 255, 0, 0], at)
    expect(lookOf(frame).color).toBe('#ff0000')
    expect(lookOf(flat(10, 10, [0, 255, 0, 0])).color).toBeNull()
  })

  test.each([
    [1, 1],
    [5000, 1],
    [1, 4000],
    [100, 100],
    [101, 7],
  ])('takes %i × %i', (width, height) => {
    expect(lookOf(flat(width, height, [1, 2, 3])).color).toBe('#010203')
  })
})
