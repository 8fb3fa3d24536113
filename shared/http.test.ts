import { expect, test } from 'vitest'
import { preferWait } from './http.ts'

test.for([
  ['wait=5', 5],
  ['Wait = "5"', 5],
  ['wait=0', 0],
  ['wait=31', 30],
  ['wait=99999999999999999999', 30],
  ['respond-async, wait=5', 5],
  ['respond-async,wait=5;x=1, handling=lenient', 5],
  ['foo="a, \\"b", wait=5', 5],
  ['wait=5, wait=6', 5],
  ['wait=no, wait=6', null],
  ['wait=1.5', null],
  ['wait=-1', null],
  ['wait=5 6', null],
  ['wait="5', null],
  ['wait', null],
  ['wait=', null],
  ['wait=""', null],
  ['long-wait=5', null],
  ['handling=lenient; wait=5', null],
  ['foo="x, wait=3"', null],
  ['foo="x wait=3"', null],
  ['foo="\\", wait=3', null],
  ['foo="\\\\", wait=3', 3],
  ['foo="\\', null],
  ['', null],
  [undefined, null],
] as const)('Prefer: %s waits %s', ([header, seconds]) => {
  expect(preferWait(header, 30)).toBe(seconds)
})
