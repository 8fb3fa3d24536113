/** `npm run dev`: the code as it is now serves the next request, and what runs ends on the code that it began with. */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FIXTURES } from './function.ts'
import { startTestRuntime, type TestRuntime } from './runtime.ts'
import { until } from './until.ts'

const ROOT = join(import.meta.dirname, '../..')

/** A project with a copy of one fixture, whose files a test may change. */
async function copiedProject(name: string): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'revela-dev-'))
  await cp(join(FIXTURES, name), join(root, 'functions', name), { recursive: true })
  for (const linked of ['node_modules', 'shared', 'package.json']) await symlink(join(ROOT, linked), join(root, linked))
  return root
}

describe('in development', () => {
  let root: string
  let server: TestRuntime
  beforeAll(async () => {
    root = await copiedProject('changing')
    server = await startTestRuntime({ names: ['changing'], functionsFolder: join(root, 'functions'), dev: true })
  })
  afterAll(async () => {
    await server[Symbol.asyncDispose]()
    await rm(root, { recursive: true, force: true })
  })

  async function change(file: string, from: string, to: string): Promise<void> {
    const path = join(root, 'functions/changing', file)
    const text = await readFile(path, 'utf8')
    expect(text).toContain(from)
    await writeFile(path, text.replace(from, to))
  }
  async function version(): Promise<string> {
    return await (await server.fetch('/changing/version')).text()
  }
  const reloads = () => server.lines.filter(({ msg }) => msg === 'reloaded').length

  it('runs every function in a container', async () => {
    expect(await version()).toBe('one')
    expect(Number(await (await server.fetch('/changing/pid')).text())).not.toBe(process.pid)
  })

  it('serves a changed file with the next request, while the old request ends on the old code', async () => {
    const old = server.fetch('/changing/wait')
    await server.line('the old one waits', ({ msg }) => msg === 'waiting')
    const before = reloads()
    await change('version.ts', "'one'", "'two'")
    await until('it is reloaded', () => reloads() > before)
    expect(await version()).toBe('two')
    expect((await server.fetch('/changing/release')).status).toBe(204)
    expect(await (await old).text()).toBe('waited on one')
    expect(await version()).toBe('two')
  })

  it('reports a file that is broken by the change, and serves again when it is mended', async () => {
    await change('version.ts', 'export', 'exprt')
    await server.line('it is broken', ({ msg }) => msg === 'function is broken')
    const ready = (await (await server.fetch('/readyz')).json()) as { broken: { name: string }[] }
    expect(ready.broken.map(({ name }) => name)).toEqual(['changing'])
    expect((await server.fetch('/changing/version')).status).toBe(503)
    const before = reloads()
    await change('version.ts', 'exprt', 'export')
    await until('it is reloaded', () => reloads() > before)
    expect(await version()).toBe('two')
    expect(server.runtime.broken()).toEqual([])
  })

  it('is left alone by its tests, and by what is no code', async () => {
    const before = reloads()
    const pid = await (await server.fetch('/changing/pid')).text()
    await writeFile(join(root, 'functions/changing/version.test.ts'), '')
    await writeFile(join(root, 'functions/changing/notes.md'), '')
    // A change that counts, so that those before it were seen too.
    await change('version.ts', "'two'", "'three'")
    await until('it is reloaded', () => reloads() > before)
    expect(await version()).toBe('three')
    expect(reloads()).toBe(before + 1)
    expect(await (await server.fetch('/changing/pid')).text()).not.toBe(pid)
  })
})
