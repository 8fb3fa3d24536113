import { expect, test } from 'vitest'
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
  ['Sun Nov  6 08:49:37 1994', null],
  ['2024-01-01', null],
  ['Sun, 99 Nov 1994 08:49:37 GMT', null],
  [undefined, null],
] as const)('%s is %s', ([header, seconds]) => {
  expect(httpDateSeconds(header)).toBe(seconds)
})
