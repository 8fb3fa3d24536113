/** How values of the environment are written, and what a value that is none is told. */
import { z } from 'zod'
import { parseBox } from '#shared/box.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '#shared/limits.ts'
import { VARIANT_NAME } from '#shared/variant.ts'
import { TIMEOUT_MAX_MS } from '../runtime/limits.ts'

export const YEARS_DAYS = 36_500
const UNIT_MS: Record<string, number> = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }

function expected<T>(what: string, read: (text: string) => T | undefined) {
  return z.string().transform((text, context): T => {
    const value = read(text.trim())
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: `expected ${what}` })
    return z.NEVER
  })
}

export function integer(min: number, max = Number.MAX_SAFE_INTEGER) {
  const range = max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`
  return expected(range, (text) => {
    const value = Number(text)
    return /^\d+$/.test(text) && value >= min && value <= max ? value : undefined
  })
}

export const duration = expected(`a duration such as 30s, 10m, 12h or 7d, at most ${YEARS_DAYS}d`, (text) => {
  const [, amount, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  const ms = Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN)
  return ms > 0 && ms <= YEARS_DAYS * DAY_MS ? ms : undefined
})

export const list = z.string().transform((text) => {
  const parts = text.split(',').map((part) => part.trim())
  return [...new Set(parts.filter((part) => part !== ''))]
})

export const names = list.refine((parts) => parts.length > 0, 'expected names, separated by commas')

export const publicUrl = expected('an http or https URL without query or fragment', (text) => {
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  const plain = /^https?:$/.test(url.protocol) && url.search === '' && url.hash === ''
  return plain ? url.href.replace(/\/$/, '') : undefined
})

// Not parsed further: a list of MongoDB hosts is no URL, and each driver says what it cannot read.
export const serverUrl = (...schemes: string[]) =>
  z.string().refine((text) => schemes.includes(text.split('://')[0]!), `expected ${schemes.join(':// or ')}://…`)

// Here, and not when a client asks for one: a preset that is no box would be a fault of each request that names it.
export const presets = z.string().transform((text, context): Record<string, string> => {
  const pairs = text.split(',').map((pair) => pair.trim().split('='))
  for (const [name = '', box = '', more] of pairs) {
    const named = VARIANT_NAME.test(name) && name !== 'original' && more === undefined
    const parsed = named ? parseBox(box) : 'names and boxes such as thumb=200x200:cover,wide=1600x'
    if (typeof parsed !== 'string') continue
    const message = named ? `expected ${parsed} as ${name}, not "${box}"` : `expected ${parsed}`
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  return Object.fromEntries(pairs as [string, string][])
})

export const sinks = expected(
  'queues and addresses such as image-processing=http://host/path, separated by commas',
  (text) => {
    const pairs = text.split(',').map((pair) => pair.trim().split(/=(.*)/s).slice(0, 2))
    const good = pairs.every(([queue, url]) => queue && URL.canParse(url ?? '') && /^https?:/.test(url!))
    return good ? (Object.fromEntries(pairs) as Record<string, string>) : undefined
  },
)

// What a SinkBinding gives: { "extensions": { "name": "value" } }.
export const overrides = expected('JSON with extensions, as a SinkBinding gives it', (text) => {
  const shape = z.object({ extensions: z.record(z.string().regex(/^[a-z0-9]+$/), z.string()).default({}) })
  try {
    return shape.parse(JSON.parse(text)).extensions
  } catch {
    return undefined
  }
})

export const rateLimit = expected('a number of requests and a time such as 100/1m', (text) => {
  const [, points, amount, unit] = /^(\d+)\/(\d+)?(s|m|h)$/.exec(text) ?? []
  const rate = { points: Number(points), durationMs: Number(amount ?? 1) * (UNIT_MS[unit ?? ''] ?? Number.NaN) }
  const isRate = rate.points > 0 && Number.isSafeInteger(rate.points) && rate.durationMs > 0
  return isRate && rate.durationMs <= TIMEOUT_MAX_MS ? rate : undefined
})

// A lone comma must not pass for keys: there would be none, and the server would be open.
export const secrets = (name: string, min: number) =>
  list.refine(
    (keys) => keys.length > 0 && keys.every((key) => key.length >= min),
    `expected ${name} of at least ${min} characters, separated by commas`,
  )

export const webhookSecrets = list.refine(
  (keys) => keys.length > 0 && keys.every((key) => /^whsec_[A-Za-z0-9+/=]{32,}$/.test(key)),
  'expected whsec_ and the base64 of at least 24 random bytes, several separated by commas',
)

export const origins = list.refine(
  (given) => given.every((origin) => origin === '*' || URL.parse(origin)?.origin === origin),
  'expected origins such as https://app.example, separated by commas, or *',
)

export const serviceName = expected('letters, digits, - and _', (text) => /^\w[\w-]{0,62}$/.exec(text)?.[0])

export const keyPrefix = z.string().regex(/^[\w./-]+\/$/, 'expected a name with a slash at its end')

/** What a topic's and a storage queue's name may begin with. */
export const queuePrefix = z.string().regex(/^[a-z]([a-z0-9]|-(?!-)){0,30}$/, 'expected a-z, 0-9 and single dashes')
