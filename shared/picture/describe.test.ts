import { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { picture } from '../../test/pictures.ts'
import { describeBytes } from './describe.ts'

test.each([
  ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"/>'],
  ['SVG', '\ufeff<?xml version="1.0"?>\n<!-- drawn -->\n<svg/>'],
  ['HTML', ' \n<!DOCTYPE html><html></html>'],
  ['XML', '<?xml version="1.0"?><note/>'],
  ['text', 'just a note, größer als nötig'],
  ['text', '{"json": true}'],
  ['PDF (application/pdf)', '%PDF-1.7\n%\xe2\xe3\n1 0 obj'],
  ['bytes of no known type', '\0\x01\x02\x03garbage\xff\xfe'],
])('%s is named', async (name, text) => {
  expect(await describeBytes(Buffer.from(text, text.includes('\xff') ? 'latin1' : 'utf8'))).toBe(name)
})

test('TIFF, HEIC, BMP and JPEG XL are named', async () => {
  expect(await describeBytes(await picture({ width: 9, height: 9, format: 'tiff' }))).toBe('TIFF (image/tiff)')
  expect(await describeBytes(Buffer.from('II*\0\xf0\xf0\0\0 with its directory further on', 'latin1'))).toBe('TIFF')
  const heic = Buffer.from(`\0\0\0\x14ftypheic\0\0\0\0mif1${'\0'.repeat(32)}`, 'latin1')
  expect(await describeBytes(heic)).toBe('HEIC (image/heic)')
  expect(await describeBytes(Buffer.concat([Buffer.from('BM'), Buffer.alloc(100)]))).toBe('BMP (image/bmp)')
  expect(await describeBytes(Buffer.from([0xff, 0x0a, 0x00, 0x10, 0, 0, 0, 0, 0, 0]))).toBe('JPEG XL (image/jxl)')
})
