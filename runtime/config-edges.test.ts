/** Values of variables that look right and are not, and the last ones that are. */
import { describe, expect, test } from 'vitest'
import { DAY_MS } from '#shared/limits.ts'
import { ConfigError } from '#shared/errors.ts'
import { type Config, readConfig } from './config.ts'

const WHSEC = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

function faultsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

const LAST: [name: keyof Config, text: string, value: unknown][] = [
  ['FUNCTIONS', 'get-task, create-task,,get-task', ['get-task', 'create-task']],
  ['API_KEY', 'first-key, second-key,', ['first-key', 'second-key']],
  ['WEBHOOK_SECRET', `${WHSEC},${WHSEC}b`, [WHSEC, `${WHSEC}b`]],
  ['LINK_TTL', '1ms', 1],
  ['LINK_TTL', '36500d', 36_500 * DAY_MS],
  ['PUBLIC_URL', 'https://example.com/images/', 'https://example.com/images'],
  ['CORS_ORIGINS', '*', ['*']],
  ['CORS_ORIGINS', 'https://app.example, http://[::1]:5173', ['https://app.example', 'http://[::1]:5173']],
  ['VARIANTS', 'a=8192x8192, b=x1', { a: '8192x8192', b: 'x1' }],
  ['VARIANTS', `${'a'.repeat(64)}=1x1`, { ['a'.repeat(64)]: '1x1' }],
  ['RATE_LIMIT', '5/2h', { points: 5, durationMs: DAY_MS / 12 }],
  ['RATE_LIMIT', '1/596h', { points: 1, durationMs: 596 * 3_600_000 }],
  ['INPUT_PIXELS_MAX', '9007199254740991', Number.MAX_SAFE_INTEGER],
  ['DRAIN_MS', '2147483647', 2_147_483_647],
]

const BEYOND: Partial<Record<keyof Config, string[]>> = {
  NODE_ENV: ['Production', 'staging'],
  SERVER_PORT: ['1e3', '+80', '3000,3001'],
  // No names are not all names, and no keys are not a server without keys.
  FUNCTIONS: [',', ' , '],
  API_KEY: [',', ' , ,', 'long-enough,short'],
  SIGNING_KEYS: [','],
  WEBHOOK_SECRET: [',', `${WHSEC},other-than-that`, 'whsec_not-base64-at-all-but-long-enough'],
  LINK_TTL: ['0s', '7 days', '36501d', `${'9'.repeat(400)}ms`],
  GC_GRACE: ['0ms', 'never'],
  PUBLIC_URL: ['/', '//images.example'],
  CORS_ORIGINS: [
    'app.example',
    'https://app.example/',
    'https://*.app.example/x',
    'https://app.example,localhost',
    'null',
  ],
  VARIANTS: [`${'a'.repeat(65)}=1x1`, 'a=1x1,', 'a=0x0', 'a=8193x', 'a=x', 'a=200x:cover', 'a=9x9:fill', 'a=200'],
  RATE_LIMIT: ['1/0m', '-1/1m', '1/597h', `${'9'.repeat(20)}/m`],
  NEGOTIATE: ['true', 'ON'],
  INPUT_BYTES_MAX: ['50MB', '9007199254740992'],
  TASK_TTL_DAYS: ['1d'],
  DRAIN_MS: ['-1', '2147483648'],
}

const beyond = Object.entries(BEYOND).flatMap(([name, texts]) => texts.map((text) => ({ name, text })))
const isSecret = (name: string): boolean => /KEY|SECRET/.test(name)

test('a preset that is no box is named, with what a box is', () => {
  expect(faultsOf({ VARIANTS: 'thumb=200x200:cover,wide=9000x' })).toEqual([
    'VARIANTS: expected sides from 1 to 8192 pixels as wide, not "9000x", got "thumb=200x200:cover,wide=9000x"',
  ])
  expect(faultsOf({ VARIANTS: 'thumb=200' })[0]).toMatch(
    /^VARIANTS: expected WxH, Wx, xH or WxH:cover as thumb, not "200", /,
  )
})

describe('a variable at its edges', () => {
  test.each(LAST)('%s takes %s', (name, text, value) => {
    expect(readConfig({ [name]: text })).toEqual({ ...readConfig({}), [name]: value })
  })

  test.each(beyond)('$name refuses "$text"', ({ name, text }) => {
    const faults = faultsOf({ [name]: text })
    expect(faults).toEqual([expect.stringMatching(new RegExp(`^${name}: .*xpected `))])
    // A secret that has a fault may be right but for one character of it.
    const told = isSecret(name) ? '' : `, got ${JSON.stringify(text)}`
    expect(faults[0]!.endsWith(told)).toBe(true)
    const secrets = isSecret(name) ? (text.match(/[\w-]{5,}/g) ?? []) : []
    expect(secrets.filter((part) => faults[0]!.includes(part))).toEqual([])
  })
})
