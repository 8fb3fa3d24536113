import { describe, expect, test } from 'vitest'
import { picture } from '../test/pictures.ts'
import { formatOf, MAGIC_BYTES, markupOf, nameOf } from './magic.ts'
import { INPUT_FORMATS } from './variant.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

function box(major: string, ...compatible: string[]): string {
  const body = `ftyp${major}\0\0\0\0${compatible.join('')}`
  return `\0\0\0${String.fromCharCode(body.length + 4)}${body}`
}

describe('the format', () => {
  test.each(INPUT_FORMATS)('of a %s is known by its first bytes, wherever they lie in memory', async (format) => {
    const file = await picture({ width: 40, height: 30, format })
    expect(formatOf(file)).toBe(format)
    expect(formatOf(Buffer.concat([bytes('x'), file]).subarray(1, MAGIC_BYTES))).toBe(format)
    expect(formatOf(file.subarray(1))).toBeNull()
  })

  test('is AVIF where that is among the brands of the box; what lies beyond it says nothing', () => {
    expect(formatOf(bytes(box('mif1', 'miaf', 'avif')))).toBe('avif')
    expect(formatOf(bytes(box('avis')))).toBe('avif')
    expect(formatOf(bytes(box('heic', 'mif1')))).toBeNull()
    expect(formatOf(bytes(`${box('heic')}avif`))).toBeNull()
  })

  test('is decided by however few bytes there are', () => {
    for (let length = 0; length < 12; length++) expect(formatOf(Buffer.alloc(length, 'ftyp'))).toBeNull()
    expect(formatOf(bytes('\xff\xd8\xff'))).toBe('jpeg')
    expect(formatOf(bytes('\xff\xd8'))).toBeNull()
    expect(formatOf(bytes('RIFF\x24\0\0\0WAVEfmt '))).toBeNull()
  })
})

describe('what is refused', () => {
  test.each([
    ['HEIC', box('heic', 'mif1', 'heic')],
    ['HEIC', box('mif1', 'heic')],
    ['a video or another container', box('isom', 'mp41')],
    ['SVG', '<?xml version="1.0"?>\n<!-- drawn by hand -->\n<svg xmlns="http://www.w3.org/2000/svg">'],
    ['SVG', '\xef\xbb\xbf  <svg viewBox="0 0 1 1">'],
    ['SVG', '<!-- drawn by hand --><svg/>'],
    ['HTML', '<!DOCTYPE html><html><body><svg></svg>'],
    ['HTML', '<html><body>'],
    ['HTML', '<!-- a page -->'],
    ['XML', '<?xml version="1.0"?><feed/>'],
    ['PDF', '%PDF-1.7\n'],
    ['TIFF', 'II*\0\x08\0\0\0'],
    ['TIFF', 'MM\0*\0\0\0\x08'],
    ['BMP', 'BM\x46\0\0\0'],
    ['JPEG XL', '\xff\x0a\xfa\x1f'],
    ['text', 'Not found\r\n'],
    ['text', '<3 is no tag'],
    ['text', 'Gr\xc3\xbc\xc3\x9fe, cut in the middle of a \xc3'],
    ['text', '\x1b[1mwith the colours of a terminal\x1b[0m'],
    ['empty', ''],
    [null, '\x01\x02\x03\x04'],
    [null, 'RIFF\x24\0\0\0WAVEfmt '],
    [null, '\xff\xd8'],
    [null, '<svg> and then \0 as no text has it'],
  ])('is named %s', (name, head) => {
    expect(formatOf(bytes(head))).toBeNull()
    expect(nameOf(bytes(head))).toBe(name)
  })

  test('is markup for its first tag alone', () => {
    expect(markupOf(bytes('<svg/>'))).toBe('SVG')
    expect(markupOf(bytes('see <svg/>'))).toBeNull()
    // An accepted picture is never asked, but must not be one either.
    expect(markupOf(bytes('GIF89a<svg/>'))).toBeNull()
  })
})
