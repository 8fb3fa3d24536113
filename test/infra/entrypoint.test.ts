/** What the image starts: a key of its own where none is given, the same at every start. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Command, program, PROJECT } from '../project/command.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'revela-entrypoint-'))
  await mkdir(join(folder, 'storage'))
})
afterEach(async () => await rm(folder, { recursive: true }))

function start(env: Record<string, string> = {}): Command {
  const more = { SERVER_PORT: '0', FUNCTIONS: 'get-task', ...env }
  return program(process.execPath, [join(PROJECT, 'infra/entrypoint.mjs')], { cwd: folder, env: more })
}

async function status(told: Command, key: string): Promise<number> {
  const [, url] = await told.tells(/API +(http\S+)/)
  return (await fetch(`${url}/none`, { headers: { 'x-api-key': key } })).status
}

const kept = async (): Promise<string> => (await readFile(join(folder, 'storage/.api-key'), 'utf8')).trim()

async function end(told: Command): Promise<void> {
  told.signal('SIGTERM')
  expect(await told.ended).toBe(0)
}

test('a key is made, shown once, kept for this user alone, and asked for', async () => {
  await using first = start()
  const [, key] = await first.tells(/kept in .+\n\n {4}(\S{32})\n/)
  expect(await kept()).toBe(key)
  expect((await stat(join(folder, 'storage/.api-key'))).mode & 0o777).toBe(0o600)
  expect(await status(first, 'another-key')).toBe(401)
  expect(await status(first, key!)).toBe(404)
  await end(first)

  await using second = start()
  expect(await status(second, key!)).toBe(404)
  expect(second.stderr() + second.stdout()).not.toContain(key)
  await end(second)
})

test('two that start at once on one folder have the same key, and leave nothing else behind', async () => {
  await using one = start()
  await using other = start({ SQLITE_FILE: 'other.sqlite' })
  await Promise.all([one, other].map(async (each) => await each.tells(/API +http/)))
  const key = await kept()
  expect([await status(one, key), await status(other, key)]).toEqual([404, 404])
  expect((await readdir(join(folder, 'storage'))).filter((name) => name.startsWith('.api-key'))).toEqual(['.api-key'])
  await Promise.all([end(one), end(other)])
})

test('a key that is given is used, and none is made', async () => {
  await using given = start({ API_KEY: 'given-key-1234' })
  expect(await status(given, 'given-key-1234')).toBe(404)
  await expect(kept()).rejects.toThrow(/ENOENT/)
  await end(given)
})
