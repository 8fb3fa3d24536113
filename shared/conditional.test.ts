import { expect, test } from 'vitest'
import { SECOND_MS } from './limits.ts'
import { httpDateSeconds, namesEtag, namesStrongly, refuseChanged } from './conditional.ts'

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
  ['"a"', true],
  ['"b", "a"', true],
  ['W/"b","a"', true],
  ['W/"a"', false],
  ['"b", W/"a"', false],
  [' * ', true],
  ['"*"', false],
  ['a', false],
  ['', false],
] as const)('If-Match: %s names "a": %s', ([header, is]) => {
  expect(namesStrongly(header, '"a"')).toBe(is)
})

const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT'
const EARLIER = 'Sun, 06 Nov 1994 08:49:36 GMT'

function faultOf(ask: () => void): unknown {
  try {
    ask()
    return null
  } catch (error) {
    return error
  }
}

test.for([
  [{}, true],
  [{ 'If-Match': '"a"' }, true],
  [{ 'If-Match': '"b"' }, false],
  [{ 'If-Unmodified-Since': DATE }, true],
  [{ 'If-Unmodified-Since': EARLIER }, false],
  [{ 'If-Unmodified-Since': 'Sunday, 06-Nov-94 08:49:37 GMT' }, true],
  [{ 'If-Unmodified-Since': 'Sunday, 06-Nov-94 08:49:36 GMT' }, false],
  [{ 'If-Unmodified-Since': 'Sun Nov  6 08:49:36 1994' }, false],
  [{ 'If-Unmodified-Since': 'yesterday' }, true],
  // The tag decides where both are sent.
  [{ 'If-Match': '"a"', 'If-Unmodified-Since': EARLIER }, true],
  [{ 'If-Match': '"b"', 'If-Unmodified-Since': DATE }, false],
] as const)('what is there is what the client has: %j: %s', ([headers, is]) => {
  const ask = (): void => refuseChanged(new Headers(headers), { etag: '"a"', lastModified: Date.parse(DATE) + 999 })
  const refusal = expect.objectContaining({ status: 412, code: 'precondition-failed' })
  expect(faultOf(ask)).toEqual(is ? null : refusal)
})

test.for([
  ['Sun, 06 Nov 1994 08:49:37 GMT', 784111777],
  ['Sunday, 06-Nov-94 08:49:37 GMT', 784111777],
  ['Sun Nov  6 08:49:37 1994', 784111777],
  ['Wed Nov 16 08:49:37 1994', 784975777],
  ['Saturday, 29-Feb-92 08:49:37 GMT', 699353377],
  ['2024-01-01', null],
  ['Sun, 99 Nov 1994 08:49:37 GMT', null],
  ['Thu, 31 Feb 1994 08:49:37 GMT', null],
  ['Sunday, 31-Feb-94 08:49:37 GMT', null],
  ['Sun Feb 31 08:49:37 1994', null],
  ['Sun, 06 Nov 1994 25:49:37 GMT', null],
  ['Sun, 06 Nix 1994 08:49:37 GMT', null],
  ['Sun, 06-Nov-94 08:49:37 GMT', null],
  ['Sun Nov 6 08:49:37 1994', null],
  ['Sun Nov  6 08:49:37 1994 GMT', null],
  [undefined, null],
] as const)('%s is %s', ([header, seconds]) => {
  expect(httpDateSeconds(header)).toBe(seconds)
})

test.for([
  ['2026-11-30T12:00:00Z', 'Monday, 30-Nov-26 12:00:01 GMT', 2026],
  ['2026-11-30T12:00:00Z', 'Monday, 30-Nov-76 12:00:00 GMT', 2076],
  ['2026-11-30T12:00:00Z', 'Tuesday, 30-Nov-76 12:00:01 GMT', 1976],
  ['2026-11-30T12:00:00Z', 'Wednesday, 30-Nov-77 12:00:00 GMT', 1977],
  ['2026-11-30T12:00:00Z', 'Tuesday, 30-Nov-99 12:00:00 GMT', 1999],
  ['2099-12-31T23:59:59Z', 'Friday, 01-Jan-00 00:00:00 GMT', 2100],
] as const)('at %s the year of %s is %i: never more than 50 years ahead', ([now, header, year]) => {
  const seconds = httpDateSeconds(header, new Date(now))!
  expect(new Date(seconds * SECOND_MS).getUTCFullYear()).toBe(year)
})
