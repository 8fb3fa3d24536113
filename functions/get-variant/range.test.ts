import { expect, test } from 'vitest'
import { parseRange } from './range.ts'

test.for([
  [undefined, null],
  ['', null],
  ['bytes=0-0', { start: 0, end: 0 }],
  ['bytes=0-99', { start: 0, end: 99 }],
  ['bytes=0-100', { start: 0, end: 99 }],
  ['bytes=99-', { start: 99, end: 99 }],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=100-200', 'unsatisfiable'],
  ['bytes=-1', { start: 99, end: 99 }],
  ['bytes=-100', { start: 0, end: 99 }],
  ['bytes=-101', { start: 0, end: 99 }],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=5-4', null],
  ['bytes=-', null],
  ['bytes=0-1,5-6', null],
  ['bytes=a-b', null],
  ['bytes=0', null],
  ['bytes=0x1-2', null],
  ['items=0-1', null],
  ['Bytes= 0-1', { start: 0, end: 1 }],
  ['bytes=0-99999999999999999999999999', { start: 0, end: 99 }],
  ['bytes=99999999999999999999999999-', 'unsatisfiable'],
] as const)('%s of 100 bytes is %j', ([header, range]) => {
  expect(parseRange(header, 100)).toEqual(range)
})
