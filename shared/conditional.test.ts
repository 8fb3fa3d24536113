import { expect, test } from 'vitest'
import { httpDateSeconds, namesEtag } from './conditional.ts'

test.for([
  [undefined, false],
  ['"a"', true],
  ['W/"a"', true],
  ['"b", W/"a"', true],
  ['"b","c"', false],
  [' * ', true],
  ['"*"', false],
  ['a', false],
  ['', false],
  ['"b, "a", "', false],
] as const)('If-None-Match: %s names "a": %s', ([header, is]) => {
  expect(namesEtag(header, '"a"')).toBe(is)
})

test.for([
  ['Sun, 06 Nov 1994 08:49:37 GMT', 784111777],
  ['Sun Nov  6 08:49:37 1994', null],
  ['2024-01-01', null],
  ['Sun, 99 Nov 1994 08:49:37 GMT', null],
  [undefined, null],
] as const)('%s is %s', ([header, seconds]) => {
  expect(httpDateSeconds(header)).toBe(seconds)
})
