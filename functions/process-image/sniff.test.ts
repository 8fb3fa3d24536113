import { describe, expect, test } from 'vitest'
import { INPUT_FORMATS } from '#shared/variant.ts'
import { picture } from '../../test/pictures.ts'
import { sniff, SNIFF_BYTES } from './sniff.ts'

const box = (brands: string[]): string => {
  const body = `ftyp${brands[0]}\0\0\0\0${brands.slice(1).join('')}`
  return `\0\0\0${String.fromCharCode(body.length + 4)}${body}`
}

describe('sniff', () => {
  test.each(INPUT_FORMATS)('knows a %s', async (format) => {
    expect(sniff((await picture({ width: 40, height: 30, format })).subarray(0, SNIFF_BYTES))).toEqual({ format })
  })

  test('knows an AVIF that only lists its brand', () => {
    expect(sniff(Buffer.from(box(['mif1', 'mif1', 'avif', 'miaf']), 'latin1'))).toEqual({ format: 'avif' })
  })

  test.each([
    ['HEIC', box(['heic', 'mif1', 'heic'])],
    ['HEIC', box(['mif1', 'heic'])],
    ['a video or another container', box(['isom', 'mp41'])],
    ['SVG', '<?xml version="1.0"?>\n<!-- drawn by hand -->\n<svg xmlns="http://www.w3.org/2000/svg">'],
    ['SVG', '\xef\xbb\xbf  <svg viewBox="0 0 1 1">'],
    ['HTML', '<!DOCTYPE html><html><body><svg></svg>'],
    ['XML', '<?xml version="1.0"?><feed/>'],
    ['PDF', '%PDF-1.7\n'],
    ['TIFF', 'II*\0\x08\0\0\0'],
    ['TIFF', 'MM\0*\0\0\0\x08'],
    ['BMP', 'BM\x46\0\0\0'],
    ['JPEG XL', '\xff\x0a\xfa\x1f'],
    ['text', 'Not found\r\n'],
    ['text', 'Gr\xc3\xbc\xc3\x9fe, cut in the middle of a \xc3'],
    ['empty', ''],
    [null, '\x01\x02\x03\x04'],
    [null, 'RIFF\x24\0\0\0WAVEfmt '],
    [null, '\xff\xd8'],
  ])('calls it %s', (name, head) => {
    expect(sniff(Buffer.from(head, 'latin1'))).toEqual({ format: null, name })
  })

  test('the first bytes decide, however few', () => {
    for (let length = 0; length < 12; length++) expect(() => sniff(Buffer.alloc(length, 'ftyp'))).not.toThrow()
    expect(sniff(Buffer.from([0xff, 0xd8, 0xff]))).toEqual({ format: 'jpeg' })
  })
})
