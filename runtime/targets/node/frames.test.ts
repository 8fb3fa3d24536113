import { describe, expect, it } from 'vitest'
import { encodeFrame, frameReader } from './frames.ts'

/** What a reader makes of these chunks, and of its error. */
function read(chunks: Uint8Array[], bytesMax?: number): unknown[] {
  const seen: unknown[] = []
  const take = frameReader((message) => seen.push(message), bytesMax)
  try {
    for (const chunk of chunks) take(Buffer.from(chunk))
  } catch (error) {
    seen.push((error as Error).name)
  }
  return seen
}

const MESSAGES = [{ a: 'ü€😀' }, null, [], 'x'.repeat(300), { b: { c: [1.5, true] } }, 0]
const ALL = Buffer.concat(MESSAGES.map((message) => encodeFrame(message)))

describe('frames', () => {
  it('carry messages, many in one chunk', () => {
    expect(read([ALL])).toEqual(MESSAGES)
  })

  it('carry messages however they are cut', () => {
    for (let at = 0; at <= ALL.length; at++) expect(read([ALL.subarray(0, at), ALL.subarray(at)])).toEqual(MESSAGES)
    for (const size of [1, 2, 3, 5, 7, 64]) {
      const chunks = Array.from({ length: Math.ceil(ALL.length / size) }, (_, i) =>
        ALL.subarray(i * size, (i + 1) * size),
      )
      expect(read(chunks)).toEqual(MESSAGES)
    }
  })

  it.each([
    ['what is no JSON', [0, 0, 0, 4, 1, 2, 3, 4], 'SyntaxError'],
    ['an empty one', [0, 0, 0, 0], 'SyntaxError'],
    ['one that is too long, before it is there', [0, 0, 0, 101], 'RangeError'],
    ['the longest one that can be told', [0xff, 0xff, 0xff, 0xff, 1], 'RangeError'],
  ])('that hold %s are refused', (_what, bytes, error) => {
    expect(read([encodeFrame(1), Uint8Array.from(bytes)], 100)).toEqual([1, error])
  })

  it('as long as they may be are read', () => {
    const text = 'x'.repeat(98)
    expect(read([encodeFrame(text)], 100)).toEqual([text])
    expect(read([encodeFrame(text)], 99)).toEqual(['RangeError'])
  })

  it.each([
    ['has no JSON', { a: 1n }, 'Do not know how to serialize a BigInt'],
    ['is too long', '€'.repeat(33), 'Expected a message of at most 100 bytes, got 101.'],
  ])('do not take what %s', (_what, message, reason) => {
    expect(() => encodeFrame(message, 100)).toThrow(reason)
  })
})
