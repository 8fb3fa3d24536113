import { expect, test } from 'vitest'
import { preferred } from './formats.ts'

test.for([
  [undefined, 'jpeg'],
  ['', 'jpeg'],
  ['*/*', 'jpeg'],
  ['image/*', 'jpeg'],
  ['image/*, */*;q=0.8', 'jpeg'],
  ['text/html', 'jpeg'],
  ['image/webp', 'webp'],
  ['IMAGE/AVIF', 'avif'],
  ['image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8', 'avif'],
  ['image/webp,image/avif', 'avif'],
  ['image/webp,*/*', 'webp'],
  ['image/webp;q=0.9,image/avif;q=0.8', 'webp'],
  ['image/webp;q=0.5,image/jpeg', 'jpeg'],
  ['image/webp;q=0.5,image/*;q=0.8', 'jpeg'],
  ['image/webp;q=0.5,image/*;q=0.5', 'webp'],
  ['image/webp;q=0, image/avif;q=0', 'jpeg'],
  ['image/avif;q=0,image/webp', 'webp'],
  ['image/avif;q=2,image/webp;q=0.1', 'webp'],
  ['image/webpx, image/avif2', 'jpeg'],
] as const)('Accept: %s → %s', ([accept, format]) => {
  expect(preferred(accept)).toBe(format)
})
