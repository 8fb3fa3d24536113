import { describe, expect, it } from 'vitest'
import { DAY_MS } from '#shared/limits.ts'
import { ConfigError } from '#shared/errors.ts'
import { readConfig } from './config.ts'

/** Good values with what they become, and bad ones. */
const VARIABLES: Record<string, { good: [string, unknown][]; bad: string[] }> = {
  NODE_ENV: { good: [['production', 'production']], bad: ['prod'] },
  SERVER_PORT: {
    good: [
      ['0', 0],
      ['65535', 65_535],
      [' 80 ', 80],
    ],
    bad: ['65536', '-1', '3000.5', '0x10', 'http'],
  },
  METRICS_PORT: { good: [['9464', 9464]], bad: ['70000'] },
  FUNCTIONS: { good: [['a, b,,c', ['a', 'b', 'c']]], bad: [] },
  LOG_LEVEL: { good: [['silent', 'silent']], bad: ['verbose'] },
  CONCURRENCY: {
    good: [
      ['1', 1],
      ['64', 64],
    ],
    bad: ['0', '65', 'many'],
  },
  MAX_RETRIES: {
    good: [
      ['0', 0],
      ['100', 100],
    ],
    bad: ['101', '-1'],
  },
  API_KEY: { good: [['12345678,abcdefgh', ['12345678', 'abcdefgh']]], bad: ['1234567', '12345678,short'] },
  SIGNING_KEYS: { good: [['1234567890123456', ['1234567890123456']]], bad: ['123456789012345'] },
  LINK_TTL: {
    good: [
      ['30s', 30_000],
      ['7d', 7 * DAY_MS],
      ['5ms', 5],
    ],
    bad: ['7', '1w', '-1d', '1.5h'],
  },
  PUBLIC_URL: {
    good: [
      ['https://pictures.example/', 'https://pictures.example'],
      ['http://localhost:8080/api', 'http://localhost:8080/api'],
    ],
    bad: ['pictures.example', 'ftp://a.example', 'https://a.example/?b=c', 'https://a.example/#d'],
  },
  WEBHOOK_SECRET: {
    good: [[`whsec_${'A'.repeat(32)}`, [`whsec_${'A'.repeat(32)}`]]],
    bad: ['A'.repeat(32), `whsec_${'A'.repeat(31)}`, `whsec_${'!'.repeat(32)}`],
  },
  ALLOW_HOSTS: { good: [['10.0.0.0/8,intern.example', ['10.0.0.0/8', 'intern.example']]], bad: [] },
  CORS_ORIGINS: { good: [['https://a.example', ['https://a.example']]], bad: [] },
  VARIANTS: {
    good: [['thumb=200x200:cover, wide=1600x', { thumb: '200x200:cover', wide: '1600x' }]],
    bad: ['thumb', 'thumb=', '=200x', 'original=1x1', 'Thumb=1x1', 'a=1x1=2x2'],
  },
  RATE_LIMIT: {
    good: [
      ['100/1m', { points: 100, durationMs: 60_000 }],
      ['5/s', { points: 5, durationMs: 1_000 }],
    ],
    bad: ['0/1m', '100', '100/1d', '/1m'],
  },
  NEGOTIATE: { good: [['off', 'off']], bad: ['no'] },
  INPUT_BYTES_MAX: { good: [['1', 1]], bad: ['0', '1M'] },
  INPUT_PIXELS_MAX: { good: [['1', 1]], bad: ['0'] },
  OUTPUT_COST_MAX: { good: [['1', 1]], bad: ['0'] },
  TASK_TTL_DAYS: {
    good: [
      ['1', 1],
      ['36500', 36_500],
    ],
    bad: ['0', '36501'],
  },
  GC_GRACE: { good: [['1h', 3_600_000]], bad: ['one hour'] },
  DRAIN_MS: { good: [['0', 0]], bad: ['10s'] },
}
const SECRETS = /KEY|SECRET/

const read = (name: string, value: string) => (readConfig({ [name]: value }) as Record<string, unknown>)[name]
const goods = Object.entries(VARIABLES).flatMap(([name, { good }]) =>
  good.map(([text, value]) => ({ name, text, value })),
)
const bads = Object.entries(VARIABLES).flatMap(([name, { bad }]) => bad.map((text) => ({ name, text })))

function faultOf(env: Record<string, string>): string {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}

describe('the environment', () => {
  it.each(goods)('takes $name=$text', ({ name, text, value }) => {
    expect(read(name, text)).toEqual(value)
  })

  it.each(bads)(
    'names $name for "$text", says what is expected and what came, but never a secret',
    ({ name, text }) => {
      const message = faultOf({ [name]: text })
      expect(message).toMatch(new RegExp(`^${name}: .*expected`, 'i'))
      expect(message.includes(text)).toBe(!SECRETS.test(name))
    },
  )

  it.each(Object.keys(VARIABLES))('takes an empty %s as unset', (name) => {
    const unset = (readConfig({}) as Record<string, unknown>)[name]
    expect(read(name, '')).toEqual(unset)
    expect(read(name, '  ')).toEqual(unset)
  })

  it('takes what a command has in place of a default, and what is set before that', () => {
    const quiet = { LOG_LEVEL: 'warn' }
    expect(readConfig({}, quiet)).toEqual({ ...readConfig({}), LOG_LEVEL: 'warn' })
    expect(readConfig({ LOG_LEVEL: ' ' }, quiet).LOG_LEVEL).toBe('warn')
    expect(readConfig({ LOG_LEVEL: 'debug' }, quiet).LOG_LEVEL).toBe('debug')
  })

  it('names every bad variable, one a line', () => {
    const message = faultOf({ SERVER_PORT: 'x', CONCURRENCY: '0', API_KEY: 'short', LOG_LEVEL: 'debug' })
    expect(message.split('\n').map((line) => line.split(':')[0])).toEqual(['SERVER_PORT', 'CONCURRENCY', 'API_KEY'])
    expect(message).not.toContain('short')
  })

  it('ignores what is not its own', () => {
    expect(readConfig({ PATH: '/bin', HOME: '/root' })).toEqual(readConfig({}))
  })
})
