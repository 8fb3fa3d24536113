import { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { INPUT_FORMATS } from '#shared/variant.ts'
import { picture } from '../../test/pictures.ts'
import { describeBytes, detectFormat } from './detect.ts'

test.each(INPUT_FORMATS)('%s is known by its bytes', async (format) => {
  const bytes = await picture({ width: 20, height: 20, format })
  expect(detectFormat(bytes)).toBe(format)
  expect(detectFormat(bytes.subarray(1))).toBeNull()
})

function fileType(major: string, ...compatible: string[]): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32BE(16 + compatible.length * 4)
  return Buffer.concat([size, Buffer.from(`ftyp${major}\0\0\0\0${compatible.join('')}`), Buffer.alloc(32)])
}

test('an AVIF may say so among its compatible brands only; what lies beyond the box says nothing', () => {
  expect(detectFormat(fileType('mif1', 'miaf', 'avif'))).toBe('avif')
  expect(detectFormat(fileType('avis'))).toBe('avif')
  expect(detectFormat(fileType('heic', 'mif1'))).toBeNull()
  expect(detectFormat(Buffer.concat([fileType('heic').subarray(0, 16), Buffer.from('avif')]))).toBeNull()
})

test.each([
  ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"/>'],
  ['SVG', '\ufeff<?xml version="1.0"?>\n<!-- drawn -->\n<svg/>'],
  ['HTML', ' \n<!DOCTYPE html><html></html>'],
  ['HTML', '<html><body>'],
  ['XML', '<?xml version="1.0"?><note/>'],
  ['text', 'just a note, größer als nötig'],
  ['text', '{"json": true}'],
  ['PDF (application/pdf)', '%PDF-1.7\n%\xe2\xe3\n1 0 obj'],
  ['bytes of no known type', '\0\x01\x02\x03garbage\xff\xfe'],
])('%s is named', async (name, text) => {
  expect(await describeBytes(Buffer.from(text, text.includes('\xff') ? 'latin1' : 'utf8'))).toBe(name)
})

test('text that is cut within a character is text', async () => {
  expect(await describeBytes(Buffer.from('nötig ö').subarray(0, -1))).toBe('text')
})

test('TIFF, HEIC, BMP and JPEG XL are named', async () => {
  expect(await describeBytes(await picture({ width: 9, height: 9, format: 'tiff' }))).toBe('TIFF (image/tiff)')
  expect(await describeBytes(Buffer.from('II*\0\xf0\xf0\0\0 with its directory further on', 'latin1'))).toBe(
    'TIFF (image/tiff)',
  )
  expect(await describeBytes(fileType('heic', 'mif1'))).toBe('HEIC (image/heic)')
  expect(await describeBytes(Buffer.concat([Buffer.from('BM'), Buffer.alloc(100)]))).toBe('BMP (image/bmp)')
  expect(await describeBytes(Buffer.from([0xff, 0x0a, 0x00, 0x10, 0, 0, 0, 0, 0, 0]))).toBe('JPEG XL (image/jxl)')
})
