/** What the README and .env.example say of the environment and of the limits is what the code does. */
import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { describe, expect, test } from 'vitest'
import processImage from '../../functions/process-image/config.ts'
import * as limits from '#shared/limits.ts'
import { COST_WEIGHT, INPUT_FORMATS, OUTPUT_FORMATS } from '#shared/variant.ts'
import { readConfig } from '../../runtime/config.ts'
import { LINK_TTL_MS } from '../../runtime/limits.ts'
import { PROJECT } from './command.ts'
import { PRODUCT } from './folders.ts'

const readme = await readFile(join(PROJECT, 'README.md'), 'utf8')
const example = await readFile(join(PROJECT, '.env.example'), 'utf8')
const { version } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as { version: string }

/** Each variable that config.ts asks an environment for. */
const asked = ((): string[] => {
  const names = new Set<string>()
  const spy = new Proxy<Record<string, string>>({}, { get: (_env, name) => void names.add(String(name)) })
  readConfig(spy)
  return [...names].sort()
})()

/** The cells of a section's table, without its head. */
function tableOf(section: string): string[][] {
  const [, text] = new RegExp(`^## ${section}$(.*?)(?=^## )`, 'ms').exec(readme)!
  const lines = text!.split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

const codes = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!)

/** What the compose files ask for beside: they give the application its own part. */
const composed = await Promise.all(
  ['docker-compose.yml', 'compose.small.yml'].map(async (name) => await readFile(join(PROJECT, name), 'utf8')),
).then((texts) => texts.flatMap((text) => [...text.matchAll(/\$\{([A-Z][A-Z0-9_]*)/g)].map(([, name]) => name!)))

describe('the environment', () => {
  test('is read by config.ts alone', async () => {
    const files = globSync(`{${PRODUCT.join(',')}}/**/*.{ts,mjs}`, {
      cwd: PROJECT,
      exclude: ['**/*.test.ts', '**/*.fixture.ts'],
    })
    const texts = files.map(async (file) => ({ file, text: await readFile(join(PROJECT, file), 'utf8') }))
    const readers = (await Promise.all(texts)).filter(({ text }) =>
      /process\.env\b(?!`)|from '(node:)?process'/.test(text),
    )
    expect(readers.map(({ file }) => file)).toEqual(['runtime/config.ts'])
  })

  test('every variable that is read stands in .env.example, once, and no other', () => {
    const names = [...example.matchAll(/^([A-Z0-9_]+)=/gm)].map(([, name]) => name!)
    // MONGO_PASSWORD is for the command line of a backup.
    expect(names.sort()).toEqual([...new Set([...asked, ...composed, 'MONGO_PASSWORD'])].sort())
  })

  test('each of them is told of there', () => {
    const untold = [...example.matchAll(/^(?!#)(.*)\n([A-Z0-9_]+)=/gm)].map(([, , name]) => name)
    expect(untold).toEqual([])
  })

  test('.env.example can be used as it is, and shows the defaults', () => {
    const shown = parseEnv(example) as Record<string, string>
    // Their defaults are elsewhere: in the config of the function, and in whether there is a key.
    const { CONCURRENCY, MAX_RETRIES, SERVER_HOST, ...rest } = readConfig(shown)
    expect({ ...rest, CONCURRENCY: undefined, MAX_RETRIES: undefined, SERVER_HOST: undefined }).toEqual(readConfig({}))
    const { concurrency, maxAttempts } = processImage.trigger
    expect([CONCURRENCY, MAX_RETRIES, SERVER_HOST]).toEqual([concurrency, maxAttempts - 1, '0.0.0.0'])
    expect(rest.APP_VERSION).toBe(version)
  })

  test("every variable that is read stands in the README's table, once, and no other", () => {
    expect(
      tableOf('Configuration')
        .flatMap(([names]) => codes(names!).sort())
        .sort(),
    ).toEqual(asked)
  })

  test("the defaults of the README's table are those of the code", () => {
    const defaults = Object.fromEntries(tableOf('Configuration').map(([names, shown]) => [codes(names!)[0], shown]))
    const config = readConfig({})
    const { concurrency, maxAttempts } = processImage.trigger
    expect(defaults).toMatchObject({
      SERVER_PORT: `${config.SERVER_PORT}, \`0.0.0.0\` with a key`,
      SIGNING_KEYS: `derived, ${LINK_TTL_MS / limits.DAY_MS}d`,
      INPUT_BYTES_MAX: `${bytes(config.INPUT_BYTES_MAX)}, ${config.INPUT_PIXELS_MAX / 1e6} MP, ${millions(config.OUTPUT_COST_MAX)}`,
      CONCURRENCY: `${concurrency}, ${maxAttempts - 1}`,
      STORAGE_INPUT_PATH: 'under `storage/`',
      REDIS_URL: `none, ${config.REDIS_PORT}`,
      S3_BUCKET: `none, ${config.S3_REGION}, ${config.S3_PRESIGN}`,
      LOKI_URL: `none, \`${config.LOG_SPOOL_PATH}\`, ${bytes(config.LOG_SPOOL_BYTES_MAX)}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: `none, \`${config.OTEL_SERVICE_NAME}\``,
    })
    const ofNone = tableOf('Configuration').flatMap(([names, shown]) => (shown === 'none' ? codes(names!) : []))
    expect(ofNone.filter((name) => isSet(config[name as keyof typeof config]))).toEqual([])
    for (const path of [config.STORAGE_INPUT_PATH, config.STORAGE_OUTPUT_PATH, config.SQLITE_FILE]) {
      expect(path).toMatch(/^storage\//)
    }
  })
})

function isSet(value: unknown): boolean {
  return typeof value === 'object' ? Object.keys(value ?? {}).length > 0 : value !== undefined
}

function bytes(count: number): string {
  return count >= limits.MIB ? `${count / limits.MIB} MiB` : `${count / limits.KIB} KiB`
}

function millions(count: number): string {
  return `${count / 1e6} million`
}

function inFull(format: string): string {
  return { jpeg: 'JPEG', png: 'PNG', webp: 'WebP', gif: 'GIF', avif: 'AVIF' }[format] ?? format
}

test("every limit in the README's table is the constant", () => {
  const others = OUTPUT_FORMATS.filter((format) => format !== 'avif').map((format) => COST_WEIGHT[format])
  expect(new Set(others).size).toBe(1)
  const stated = Object.fromEntries(tableOf('Limits').map(([what, limit]) => [what, limit]))
  const hours = (ms: number): string => `${ms / limits.HOUR_MS} h`
  expect(stated).toEqual({
    'bytes of a picture': bytes(limits.INPUT_BYTES_MAX),
    'pixels of the first frame': `${limits.INPUT_PIXELS_MAX / 1e6} megapixels; AVIF ${limits.AVIF_PIXELS_MAX / 1e6}`,
    'formats taken': INPUT_FORMATS.map(inFull).join(', '),
    'variants of a task': `${limits.VARIANTS_MAX}, each side ${limits.SIDE_MIN} to ${limits.SIDE_MAX} pixels`,
    [`pixels × weight of all variants (AVIF ${COST_WEIGHT.avif}, others ${others[0]})`]: millions(
      limits.OUTPUT_COST_MAX,
    ),
    metadata: `${limits.METADATA_PAIRS_MAX} pairs, ${bytes(limits.METADATA_BYTES_MAX)}`,
    '`Prefer: wait`, `?wait`': `${limits.WAIT_SECONDS_MAX} s`,
    'redirects of a URL source': `${limits.REDIRECTS_MAX}, each address checked`,
    'an idempotency key': `${limits.IDEMPOTENCY_KEY_MAX} characters, kept ${hours(limits.IDEMPOTENCY_TTL_MS)}`,
    'a link of `POST /uploads`': `${limits.UPLOAD_LINK_MS / limits.MINUTE_MS} minutes, one file of exactly the size asked for`,
    'a callback': `${limits.CALLBACK_TRY_MS / limits.SECOND_MS} s a try, tried for ${hours(limits.CALLBACK_GIVE_UP_MS)}`,
  })
})
