/** `npm run env`: secrets that compose, a shell and the server all read alike. */
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv, promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readConfig } from '../../runtime/config.ts'
import { program, PROJECT } from '../project/command.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'revela-env-'))
  await copyFile(join(PROJECT, '.env.example'), join(folder, '.env.example'))
})
afterEach(async () => await rm(folder, { recursive: true }))

async function env(...args: string[]) {
  await using ran = program(process.execPath, [join(PROJECT, 'infra/env.mjs'), ...args], { cwd: folder })
  return { status: await ran.ended, out: ran.stdout(), err: ran.stderr() }
}

const written = async (): Promise<string> => await readFile(join(folder, '.env'), 'utf8')
const { apr1 } = (await import(new URL('../../infra/apr1.mjs', import.meta.url).href)) as {
  apr1: (password: string, salt: string) => string
}

test('every secret is random and the server takes them; one value is in two places', async () => {
  expect((await env()).status).toBe(0)
  const values = parseEnv(await written()) as Record<string, string>
  const secrets = [
    'API_KEY',
    'SIGNING_KEYS',
    'WEBHOOK_SECRET',
    'MONGO_APP_PASSWORD',
    'REDIS_PASSWORD',
    'GRAFANA_PASSWORD',
  ]
  const own = [...secrets, 'MONGO_ROOT_PASSWORD'].map((name) => values[name]!)
  expect(new Set(own).size).toBe(own.length)
  expect(Math.min(...own.map((value) => value.length))).toBeGreaterThanOrEqual(32)
  expect(values.MONGO_PASSWORD).toBe(values.MONGO_ROOT_PASSWORD)
  // They stand in URLs.
  for (const name of ['MONGO_ROOT_PASSWORD', 'MONGO_APP_PASSWORD', 'REDIS_PASSWORD'])
    expect(values[name]).toMatch(/^\w+$/)
  expect(readConfig(values)).toMatchObject({ API_KEY: [values.API_KEY], WEBHOOK_SECRET: [values.WEBHOOK_SECRET] })

  await rm(join(folder, '.env'))
  await env()
  const again = parseEnv(await written()) as Record<string, string>
  expect([...secrets, 'TRAEFIK_AUTH'].filter((name) => again[name] === values[name])).toEqual([])
})

test("the dashboard's password is shown, and .env has its hash in single quotes", async () => {
  const { out } = await env()
  const [, password] = /password +(\w+)/.exec(out)!
  const text = await written()
  expect(text).not.toContain(password)
  const [, hash, salt] = /^TRAEFIK_AUTH='admin:(\$apr1\$(\w+)\$\S+)'$/m.exec(text)!
  expect(apr1(password!, salt!)).toBe(hash)
})

test('a hash is that of Apache', () => {
  // The example of its documentation, and one of `openssl passwd -apr1` with more bytes than a digest has.
  expect(apr1('myPassword', 'r31.....')).toBe('$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/')
  expect(apr1('a password longer than sixteen bytes, and ü', 'x/y.Z012')).toBe('$apr1$x/y.Z012$arQWjDu2cl87uTkRBgaBY.')
})

test('nobody else can read it, and it is never overwritten', async () => {
  await env()
  expect((await stat(join(folder, '.env'))).mode & 0o777).toBe(0o600)
  await writeFile(join(folder, '.env'), 'API_KEY=the-only-copy\n')
  const { status, out, err } = await env()
  expect([status, out]).toEqual([1, ''])
  expect(err).toMatch(/\.env is there already/)
  expect(await written()).toBe('API_KEY=the-only-copy\n')
})

test('domain and address are taken; another option is refused, and nothing is written', async () => {
  await env('--domain', 'images.example.com', '--email', 'a@example.com')
  expect(parseEnv(await written())).toMatchObject({ DOMAIN: 'images.example.com', SSL_EMAIL: 'a@example.com' })
  await rm(join(folder, '.env'))
  expect(await env('--domian', 'x')).toMatchObject({ status: 1, err: expect.stringMatching(/domian.*\nUsage/) })
  await expect(written()).rejects.toThrow(/ENOENT/)
})

test('the version is not pinned: after an upgrade it is that of the compose files', async () => {
  await env()
  expect(parseEnv(await written()).APP_VERSION).toBe('')
})

test('a value is read alike by a shell', async () => {
  await env()
  const shell = `export $(grep -E '^(MONGO_PASSWORD|API_KEY)=' .env) && echo "$MONGO_PASSWORD $API_KEY"`
  const { stdout } = await promisify(execFile)('sh', ['-c', shell], { cwd: folder })
  const { MONGO_PASSWORD, API_KEY } = parseEnv(await written())
  expect(stdout.trim()).toBe(`${MONGO_PASSWORD} ${API_KEY}`)
})

test('the containers run as who made it, and storage is theirs; never as root', async () => {
  await env()
  const { UID, GID } = parseEnv(await written())
  const { uid, gid } = await stat(join(folder, 'storage'))
  expect([Number(UID), Number(GID)]).toEqual([uid, gid])
  expect(uid).not.toBe(0)
})
