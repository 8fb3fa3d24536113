import { createHmac, hkdfSync } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DAY_MS } from '#shared/limits.ts'
import { testTask, variantSpec } from '../../../test/tasks.ts'
import { derivedKey, hmacLinks } from './hmac.ts'

const ISO = '2026-03-01T09:30:00.000Z'
const NOW = Date.parse(ISO)
/** The end of the day that NOW is in, and a week. */
const END = Date.parse('2026-03-09T00:00:00.000Z')
const BASE = 'http://localhost'

const task = testTask({ options: { ...testTask().options, variants: [variantSpec('800x800')] } })
const source = { ...task.source, key: `input/${task.id}/original.jpg` as const }
const variant = { name: '800x800', width: 1, height: 1, mediaType: 'image/jpeg' as const, derived: {} }
const stored = { key: `output/${task.id}/800x800.jpg` as const, bytes: 1, sha256: '' }
const whole = { ...task, source, variants: [{ ...variant, ...stored }] }

const linksBy = (keys: string[], publicUrl?: string) => hmacLinks({ keys, ttlMs: 7 * DAY_MS, publicUrl })
const urlOf = (link: string | null): URL => new URL(link!, BASE)

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }))
afterEach(() => void vi.useRealTimers())

describe('links', () => {
  test('are a path, the end of their time, and the HMAC of both', async () => {
    const { original } = await linksBy(['new', 'old']).of(whole)
    const path = `/tasks/${task.id}/original`
    const sig = createHmac('sha256', 'new')
      .update(`${path}\n${END / 1_000}`)
      .digest('base64url')
    expect(original).toBe(`${path}?exp=${END / 1_000}&sig=${sig}`)
  })

  test.each(['2026-03-01T00:00:00.001Z', '2026-03-01T23:59:59.999Z', '2026-03-02T00:00:00.000Z'])(
    'are equal all day: also at %s',
    async (time) => {
      const links = linksBy(['key'])
      const first = await links.of(whole)
      vi.setSystemTime(time)
      expect(await links.of(whole)).toEqual(first)
    },
  )

  test('are others on the next day, and the earlier ones go on to open', async () => {
    const links = linksBy(['key'])
    const first = await links.of(whole)
    vi.setSystemTime('2026-03-02T00:00:00.001Z')
    expect((await links.of(whole)).original).not.toBe(first.original)
    expect(links.check(urlOf(first.original)).kind).toBe('valid')
  })

  test('end with their time, to the second', async () => {
    const links = linksBy(['key'])
    const url = urlOf((await links.of(whole)).events)
    expect(links.check(url, END - 1)).toEqual({ kind: 'valid', expiresAt: END })
    expect(links.check(url, END)).toEqual({ kind: 'invalid' })
  })

  test('are not signed where there is no key, nor of a task that is public; the task itself never is', async () => {
    const open = { ...whole, options: { ...whole.options, access: 'public' as const } }
    for (const links of [await linksBy([]).of(whole), await linksBy(['key']).of(open)])
      expect(JSON.stringify(links)).not.toContain('sig=')
    expect((await linksBy(['key']).of(whole)).self).toBe(`/tasks/${task.id}`)
  })

  test('are absolute where PUBLIC_URL is set, and open by their path alone', async () => {
    const { original, self } = await linksBy(['key'], 'https://images.example').of(whole)
    expect(self).toBe(`https://images.example/tasks/${task.id}`)
    expect(original).toMatch(/^https:\/\/images\.example\/tasks\/.*sig=/)
    expect(linksBy(['key']).check(new URL(new URL(original!).search, `${BASE}/tasks/${task.id}/original`)).kind).toBe(
      'valid',
    )
  })

  test('of one path end when they are told to, not with the day', async () => {
    const links = linksBy(['key'], 'https://images.example')
    const end = NOW + 900_000
    const url = new URL(await links.sign('/uploads/1', end))
    expect(url.origin + url.pathname).toBe('https://images.example/uploads/1')
    expect(links.check(url, end - 1)).toEqual({ kind: 'valid', expiresAt: end })
    expect(links.check(url, end)).toEqual({ kind: 'invalid' })
    expect(links.check(new URL(url.search, `${BASE}/uploads/2`), end - 1)).toEqual({ kind: 'invalid' })
    expect(await linksBy([]).sign('/uploads/1', end)).toBe('/uploads/1')
  })

  test('of an original that is gone are null', async () => {
    expect((await linksBy(['key']).of({ ...whole, source: { ...source, key: null } })).original).toBeNull()
  })
})

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** The next of the four last characters that decode to the same 32 bytes. */
function sameBytes(last: string): string {
  const at = BASE64URL.indexOf(last)
  return BASE64URL[(at & ~3) | ((at + 1) & 3)]!
}

describe('a signature', () => {
  test('of each key that is set opens, and of none that was taken out', async () => {
    const url = urlOf((await linksBy(['old']).of(whole)).original)
    expect(linksBy(['new', 'old']).check(url).kind).toBe('valid')
    expect(linksBy(['new']).check(url).kind).toBe('invalid')
    expect(linksBy([]).check(url).kind).toBe('invalid')
  })

  test.each([
    ['another path', (url: string) => url.replace('/original', '/variants/800x800')],
    ['another end', (url: string) => url.replace(String(END / 1_000), String(END / 1_000 + 1))],
    ['an end without end', (url: string) => url.replace(/exp=\d+/, 'exp=Infinity')],
    ['an end that is none', (url: string) => url.replace(/exp=\d+/, 'exp=never')],
    ['no end', (url: string) => url.replace(/exp=\d+&/, '')],
    ['a shorter signature', (url: string) => url.slice(0, -2)],
    ['a longer one', (url: string) => `${url}AAAA`],
    ['one with the two bits that decode to nothing', (url: string) => url.slice(0, -1) + sameBytes(url.at(-1)!)],
    ['one with foreign characters behind it', (url: string) => `${url}!!`],
    ['one with a foreign character before it', (url: string) => url.replace('sig=', 'sig=*')],
    ['one that is padded', (url: string) => `${url}=`],
    ['another spelling of its end', (url: string) => url.replace(/exp=(\d+)/, 'exp=$1.0')],
    ['its end with a zero before it', (url: string) => url.replace('exp=', 'exp=0')],
    ['two of them', (url: string) => `${url}&sig=another`],
    ['one with two ends', (url: string) => `${url}&exp=${END / 1_000 + 1}`],
    ['an empty one', (url: string) => url.replace(/sig=.*/, 'sig=')],
    ['one of another alphabet', (url: string) => url.replace(/sig=.*/, `sig=${'é'.repeat(43)}`)],
  ])('does not open %s', async (_what, alter) => {
    const links = linksBy(['key'])
    const { original } = await links.of(whole)
    expect(links.check(urlOf(alter(original!)))).toEqual({ kind: 'invalid' })
  })

  test('of an end that is no number of seconds opens nothing, though it fits', () => {
    const path = `/tasks/${task.id}`
    for (const end of ['9e12', '0x7fffffff', ' 9999999999', '-1', '']) {
      const sig = createHmac('sha256', 'key').update(`${path}\n${end}`).digest('base64url')
      const query = new URLSearchParams({ exp: end, sig }).toString()
      expect([end, linksBy(['key']).check(urlOf(`${path}?${query}`))]).toEqual([end, { kind: 'invalid' }])
    }
  })

  test('that is not there is no bad one', () => {
    expect(linksBy(['key']).check(new URL('/tasks/1?exp=9999999999', BASE))).toEqual({ kind: 'unsigned' })
  })
})

test('the derived key is the HKDF of the API key: always the same, and not the key', () => {
  const right = Buffer.from(hkdfSync('sha256', 'an-api-key', '', 'revela signed links', 32)).toString('base64url')
  expect(derivedKey('an-api-key')).toBe(right)
  expect(derivedKey('an-api-kez')).not.toBe(right)
  expect(right).not.toContain('an-api-key')
})
