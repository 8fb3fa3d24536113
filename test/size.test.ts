/** How much there is to read. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PROJECT } from './project/command.ts'
import { PRODUCT } from './project/folders.ts'

/** Lines of the core, in all. */
const CORE_MAX = 1_500
/** Lines of a file that gives no reason for more. */
const FILE_MAX = 250
/** Where such a reason stands: in the first lines, and it names the limit. */
const REASON = new RegExp(`\\b${FILE_MAX}\\s+(\\*\\s+)?lines\\b`)
const REASON_LINES = 5

interface Source {
  file: string
  lines: string[]
}

const sources = globSync(`{${PRODUCT.join(',')},test}/**/*.{ts,mjs}`, { cwd: PROJECT }).map((file): Source => {
  const text = readFileSync(join(PROJECT, file), 'utf8')
  return { file, lines: text.replace(/\n$/, '').split('\n') }
})

function coreLines(all: readonly Source[]): number {
  const core = all.filter(({ file }) => /^runtime\/(?!drivers\/|targets\/).*(?<!\.test)\.ts$/.test(file))
  return core.reduce((sum, { lines }) => sum + lines.length, 0)
}

function tooLong(all: readonly Source[]): string[] {
  const long = all.filter(({ lines }) => lines.length > FILE_MAX)
  const unreasoned = long.filter(({ lines }) => !REASON.test(lines.slice(0, REASON_LINES).join('\n')))
  return unreasoned.map(({ file, lines }) => `${file}: ${lines.length} lines`)
}

test('the core, that is runtime/ without drivers and targets, has a size that one can read', () => {
  const lines = coreLines(sources)
  expect(lines).toBeLessThanOrEqual(CORE_MAX)
  // Guards the guard: so few would mean that it was not found.
  expect(lines).toBeGreaterThan(CORE_MAX / 2)
})

test('no file is longer than it should be without a reason', () => {
  expect(tooLong(sources)).toEqual([])
})

test('one that is too long is found, and one with a reason is not', () => {
  const file = (length: number, first = ''): Source => ({ file: 'x.ts', lines: [first, ...Array(length - 1).fill('')] })
  expect(tooLong([file(FILE_MAX), file(FILE_MAX + 1, `/** Longer than ${FILE_MAX} lines, since … */`)])).toEqual([])
  expect(tooLong([file(FILE_MAX + 1)])).toEqual([`x.ts: ${FILE_MAX + 1} lines`])
  expect(
    coreLines([
      { file: 'runtime/x.ts', lines: [''] },
      { file: 'runtime/more/y.ts', lines: [''] },
      { file: 'runtime/x.test.ts', lines: [''] },
      { file: 'runtime/drivers/tasks/x.ts', lines: [''] },
      { file: 'runtime/targets/x.ts', lines: [''] },
    ]),
  ).toBe(2)
})
