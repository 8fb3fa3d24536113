/** package.json admits Node 22: its parser must take every file that is not a test. */
import { parseSync, Visitor } from 'oxc-parser'
import { expect, test } from 'vitest'
import { productFiles } from './product.ts'

/** True where a file declares with `using` or `await using`, which Node 22 cannot parse. Texts and comments do not count. */
function declaresUsing(path: string, text: string): boolean {
  let found = false
  new Visitor({ VariableDeclaration: ({ kind }) => void (found ||= kind.endsWith('using')) }).visit(
    parseSync(path, text).program,
  )
  return found
}

test('what is looked for is found', () => {
  expect(declaresUsing('a.ts', 'async () => { await using a: A = b() }')).toBe(true)
  expect(declaresUsing('a.ts', 'if (a) { using b = c }')).toBe(true)
  expect(declaresUsing('a.ts', 'const a = `\n  await using b = c\n` // using b = c')).toBe(false)
})

test('the product declares nothing with `using`', async () => {
  const files = await productFiles()
  expect(files.length).toBeGreaterThan(100)
  expect(files.filter(({ path, text }) => declaresUsing(path, text)).map(({ path }) => path)).toEqual([])
})
