import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle } from './bundle.ts'

/** Each module says that it was loaded. */
const says = (name: string, ...imports: string[]): string =>
  `${imports.map((each) => `import './${each}.mjs'\n`).join('')}console.log('${name}')\n`

const OTHERS = ['other-a', 'other-b', 'other-c']
const MODULES: Record<string, string> = {
  start: says('start', 'own', 'with-a', 'with-b', 'with-c'),
  own: says('own', 'deep'),
  deep: says('deep'),
  // Each is shared with another entry: left to itself, a bundler makes a file of each.
  'with-a': says('with-a', 'below'),
  'with-b': says('with-b', 'below'),
  'with-c': says('with-c'),
  below: says('below'),
  'other-a': says('other-a', 'with-a', 'alone'),
  'other-b': says('other-b', 'with-b'),
  'other-c': says('other-c', 'with-c'),
  alone: says('alone'),
}
const OF_START = ['start', 'own', 'deep', 'with-a', 'with-b', 'with-c', 'below']

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'revela-chunks-'))
  await mkdir(join(folder, 'from'))
  for (const [name, text] of Object.entries(MODULES)) await writeFile(join(folder, 'from', `${name}.mjs`), text)
  await bundle({
    input: {
      begin: { text: `await import(${JSON.stringify(join(folder, 'from/start.mjs'))})` },
      ...Object.fromEntries(OTHERS.map((name) => [name, { file: join(folder, `from/${name}.mjs`) }])),
    },
    folder: join(folder, 'to'),
    together: { start: /\/start\.mjs$/, others: /\/other-.\.mjs$/ },
  })
})
afterAll(async () => await rm(folder, { recursive: true, force: true }))

/** What is loaded with a file of the bundle, from the names that stand in it on. */
async function loadedWith(begin: (name: string) => boolean): Promise<{ files: string[]; modules: string[] }> {
  const all = (await readdir(join(folder, 'to'))).filter((name) => name.endsWith('.mjs'))
  const texts = new Map<string, string>()
  for (const name of all) texts.set(name, await readFile(join(folder, 'to', name), 'utf8'))
  const files = new Set(all.filter(begin))
  for (const file of files) for (const name of all) if (texts.get(file)!.includes(`./${name}`)) files.add(name)
  const text = [...files].map((file) => texts.get(file)).join('\n')
  return {
    files: [...files],
    modules: Object.keys(MODULES).filter((name) => text.includes(`console.log(\`${name}\`)`)),
  }
}

/** The entry, what names the start for it, and the two. */
const FILES_MAX = 4

test('a start loads all that it needs in two files', async () => {
  const { files, modules } = await loadedWith((name) => name === 'begin.mjs')
  expect(modules).toEqual(OF_START)
  expect(files.length).toBeLessThanOrEqual(FILES_MAX)
})

test.each(OTHERS)("%s shares code with it, and loads nothing that is the start's alone", async (other) => {
  const { modules } = await loadedWith((name) => name === `${other}.mjs`)
  expect(modules).toContain(other)
  expect(modules.filter((name) => ['start', 'own', 'deep'].includes(name))).toEqual([])
})
