import { expect, test } from 'vitest'
import { docsAsset, problemPage } from './docs.ts'

test('the page has its assets', async () => {
  const asset = docsAsset('swagger-ui.css')
  expect(asset?.headers.get('content-type')).toBe('text/css; charset=utf-8')
  await asset?.body?.cancel()
})

test.each(['package.json', '../package.json', 'constructor', 'toString', '__proto__', ''])(
  'there is neither an asset nor a problem "%s"',
  (name) => {
    expect(docsAsset(name)).toBe(null)
    expect(problemPage(name)).toBe(null)
  },
)
