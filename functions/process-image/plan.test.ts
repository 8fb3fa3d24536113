import { describe, expect, test } from 'vitest'
import { spec } from './rendering.fixture.ts'
import { planOf } from './plan.ts'

const original = { width: 4000, height: 3000 }
const names = (planned: ReadonlyArray<{ spec: { name: string } }>): string[] => planned.map((each) => each.spec.name)

describe('planOf', () => {
  test('decodes at the largest frame, and goes down from there', () => {
    const plan = planOf([spec(200, 200), spec(1024, 1024), spec(800, 800)], original)
    expect(plan.base).toEqual({ width: 1024, height: 768 })
    expect(names(plan.cascaded)).toEqual(['1024x1024', '800x800', '200x200'])
    expect(plan.streamed).toEqual([])
  })

  test('a cover needs the frame that it is cut from', () => {
    const plan = planOf([spec(1024, 1024), spec(1000, 1000, { fit: 'cover' })], original)
    expect(plan.base).toEqual({ width: 1333, height: 1000 })
    expect(plan.cascaded.map(({ size }) => size)).toEqual([
      { width: 1000, height: 1000 },
      { width: 1024, height: 768 },
    ])
  })

  test('no frame is smaller than what is cut from it, however thin the picture', () => {
    for (const [width, height] of [
      [8000, 3],
      [3, 8000],
      [7, 5],
    ] as const) {
      const { cascaded } = planOf([spec(50, 50, { fit: 'cover' }), spec(9, 2, { fit: 'cover' }), spec(4, 4)], {
        width,
        height,
      })
      for (const { size, frame } of cascaded) {
        expect(frame.width).toBeGreaterThanOrEqual(size.width)
        expect(frame.height).toBeGreaterThanOrEqual(size.height)
      }
    }
  })

  test('a frame of exactly the limit is held in memory, one pixel more is streamed', () => {
    const specs = [spec(400, 300), spec(40, 30)]
    expect(names(planOf(specs, original, 400 * 300).cascaded)).toEqual(['400x300', '40x30'])
    const over = planOf(specs, original, 400 * 300 - 1)
    expect(names(over.streamed)).toEqual(['400x300'])
    expect(over.base).toEqual({ width: 40, height: 30 })
  })

  test('where all are streamed, a small frame is left for the placeholder', () => {
    expect(planOf([spec(4000, 4000)], original, 10)).toMatchObject({ base: { width: 1024, height: 768 }, cascaded: [] })
  })
})
