import { expect, test } from 'vitest'
import { attachment, safeFilename } from './disposition.ts'

test.for([
  ['cat.jpg', 'image/jpeg', 'cat.jpg'],
  ['CAT.JPEG', 'image/jpeg', 'CAT.JPEG'],
  ['cat', 'image/png', 'cat.png'],
  ['cat.html', 'image/jpeg', 'cat.html.jpg'],
  ['cat.jpg', 'image/png', 'cat.jpg.png'],
  ['../../etc/passwd', 'image/jpeg', 'passwd.jpg'],
  ['C:\\photos\\cat.jpg', 'image/jpeg', 'cat.jpg'],
  ['a\r\nSet-Cookie: x.jpg', 'image/jpeg', 'aSet-Cookie x.jpg'],
  ['evil\u202egpj.exe', 'image/jpeg', 'evilgpj.exe.jpg'],
  ['.htaccess', 'image/gif', 'htaccess.gif'],
  ['..', 'image/gif', 'original.gif'],
  ['.jpg', 'image/jpeg', 'jpg.jpg'],
  ['"quoted";.jpg', 'image/jpeg', 'quoted;.jpg'],
  ['', 'image/avif', 'original.avif'],
  [null, 'image/webp', 'original.webp'],
  [null, null, 'original.bin'],
  [`${'x'.repeat(300)}.jpg`, 'image/jpeg', `${'x'.repeat(120)}.jpg`],
] as const)('%j is saved as', ([filename, mediaType, name]) => {
  expect(safeFilename(filename, mediaType)).toBe(name)
})

test('other letters are encoded, with an ASCII name beside them', () => {
  expect(attachment("naïve cat's (1)*.jpg", 'image/jpeg')).toBe(
    `attachment; filename="na_ve cat's (1).jpg"; filename*=UTF-8''na%C3%AFve%20cat%27s%20%281%29.jpg`,
  )
})

test('half a surrogate pair, sent or made by the cut, breaks nothing', () => {
  expect(attachment('\ud83d.jpg', 'image/jpeg')).toContain("filename*=UTF-8''%EF%BF%BD.jpg")
  expect(safeFilename(`${'x'.repeat(119)}😀.jpg`, 'image/jpeg')).toBe(`${'x'.repeat(119)}.jpg`)
  expect(() => new Headers({ 'Content-Disposition': attachment('😀'.repeat(200), null) })).not.toThrow()
})
