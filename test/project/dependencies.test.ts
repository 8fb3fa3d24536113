/** Each package is there for a reason that stands in ARCHITECTURE.md, and is used. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PROJECT } from './command.ts'
import { productFiles } from './product.ts'

const { dependencies, devDependencies } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as Record<
  'dependencies' | 'devDependencies',
  Record<string, string>
>
const architecture = await readFile(join(PROJECT, 'ARCHITECTURE.md'), 'utf8')
const [, section] = /^## Why each dependency is there$(.*?)^## /ms.exec(architecture)!

/** Imported, at the start or later, or looked up to serve its files. */
function isUsed(text: string, name: string): boolean {
  return new RegExp(`(from |import\\(|import |resolve\\()'${name}(/[^']*)?'`).test(text)
}

test('every dependency has its reason, and every reason its dependency', () => {
  const rows = section!.split('\n').filter((line) => line.startsWith('|'))
  const reasoned = rows.slice(2).flatMap((row) => row.split('|')[1]!.trim().split(', '))
  expect(reasoned.sort()).toEqual(Object.keys(dependencies).sort())
})

test('the product imports each of them, and none that is for development alone', async () => {
  const text = (await productFiles()).map((file) => file.text).join('\n')
  expect(Object.keys(dependencies).filter((name) => !isUsed(text, name))).toEqual([])
  // It stands in the test that `npm run new` writes; the other two are the build's, which is no part of what runs.
  expect(
    Object.keys(devDependencies)
      .filter((name) => isUsed(text, name))
      .sort(),
  ).toEqual(['rolldown', 'vitest', 'yaml'])
})
