import { expect, test } from 'vitest'
import { namedQuality, parseAccept, quality } from './accept.ts'

test.for([
  [undefined, []],
  ['', []],
  ['image/webp', [['image/webp', 1]]],
  ['IMAGE/WebP ; Q=0.5', [['image/webp', 0.5]]],
  [
    'image/avif,image/*;q=0.8 , */*; q=0',
    [
      ['image/avif', 1],
      ['image/*', 0.8],
      ['*/*', 0],
    ],
  ],
  ['image/webp;v="a,b;q=0.1";q=0.7', [['image/webp', 0.7]]],
  ['image/webp;q=1.5, image/avif;q=x, image/png;q=0.1234, a/b;q=1.000', [['a/b', 1]]],
  ['webp, /, image/, ;q=1, ,,', []],
] as const)('%s', ([header, ranges]) => {
  expect(parseAccept(header).map(({ type, q }) => [type, q])).toEqual(ranges)
})

test('the most specific range says the quality', () => {
  const ranges = parseAccept('*/*;q=0.1, image/*;q=0.5, image/webp;q=0')
  expect(quality(ranges, 'image/webp')).toBe(0)
  expect(quality(ranges, 'image/png')).toBe(0.5)
  expect(quality(ranges, 'text/html')).toBe(0.1)
  expect(quality(parseAccept('image/*'), 'text/html')).toBe(0)
  expect(namedQuality(ranges, 'image/png')).toBeUndefined()
})
