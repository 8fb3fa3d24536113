/** What the edge sets around every answer, whoever gives it. */
import { describe, expect, test } from 'vitest'
import { Problem } from '#shared/errors.ts'
import { createApp } from '#shared/http.ts'
import { type Edge, type EdgeOptions, startEdge } from '../../test/runtime/http-edge.ts'
import { until } from '../../test/runtime/until.ts'

const forever = new Promise<never>(() => undefined)
const SECRET = '/srv/revela/secrets.ts:12'

function app() {
  const own = createApp()
  own.get('/it/ok', (c) => c.text('ok'))
  own.get('/it/caller', (c) => c.json(c.env.invocation.caller))
  own.get('/it/hang', async () => await forever)
  own.get('/it/throws', () => {
    throw new Error(`no such file: ${SECRET}`)
  })
  own.get('/it/vary', (c) => c.text('', 200, { Vary: 'Accept', 'Cross-Origin-Resource-Policy': 'cross-origin' }))
  own.get('/it/elsewhere', () => Response.redirect('http://127.0.0.1/elsewhere'))
  own.get('/it/fetched', async () => await fetch('data:text/plain,ok'))
  own.get('/it/not-modified', () => new Response(null, { status: 304 }))
  own.get('/it/conflict', () => {
    throw new Problem('task-not-finished', 'Not yet.', { headers: { 'Retry-After': '7' } })
  })
  return own
}

const KEY = { 'x-api-key': 'key-of-the-test' }
const KEYED = { API_KEY: KEY['x-api-key'], SIGNING_KEYS: 'signing-key-of-the-test' }

const HEAD = 'Host: 127.0.0.1\r\nConnection: close\r\n'

/** Kinds of answers, each with how it is got. */
const KINDS: [status: number, what: string, get: (edge: Edge) => Promise<unknown>, options?: EdgeOptions][] = [
  [200, 'of a function', async (edge) => await edge.fetch('/it/ok')],
  [304, 'without a body', async (edge) => await edge.fetch('/it/not-modified')],
  [200, 'that a function has from elsewhere', async (edge) => await edge.fetch('/it/fetched')],
  [302, 'of a redirect', async (edge) => await edge.fetch('/it/elsewhere')],
  [409, 'that a function throws', async (edge) => await edge.fetch('/it/conflict')],
  [500, 'of a function that fails', async (edge) => await edge.fetch('/it/throws')],
  [504, 'of one that is late', async (edge) => await edge.fetch('/it/hang'), { timeoutMs: 20 }],
  [404, 'where there is nothing', async (edge) => await edge.fetch('/nothing')],
  [404, 'where the function has nothing', async (edge) => await edge.fetch('/it/nothing')],
  [405, 'to a method that is not there', async (edge) => await edge.fetch('/it/ok', { method: 'PUT' })],
  [204, 'to OPTIONS', async (edge) => await edge.fetch('/it/ok', { method: 'OPTIONS' })],
  [200, 'of health', async (edge) => await edge.fetch('/healthz')],
  [503, 'of readiness', async (edge) => await edge.fetch('/readyz')],
  [200, 'of metrics', async (edge) => await edge.fetch('/metrics')],
  [200, 'of the docs', async (edge) => await edge.fetch('/docs')],
  [308, 'of the docs, misspelled', async (edge) => await edge.fetch('/docs/')],
  [200, 'of an asset', async (edge) => await edge.fetch('/docs/swagger-ui.css')],
  [200, 'of a problem', async (edge) => await edge.fetch('/problems/not-found')],
  [401, 'without a key', async (edge) => await edge.fetch('/it/ok'), { env: KEYED }],
  [403, 'to a bad link', async (edge) => await edge.fetch('/it/ok?sig=AAAA&exp=1'), { env: KEYED, auth: 'link' }],
  [429, 'beyond the limit', async (edge) => await twice(edge), { env: { RATE_LIMIT: '1/1h' } }],
  [
    421,
    'to a wrong Host',
    async (edge) => await edge.say(`GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`),
  ],
  [
    403,
    'across sites',
    async (edge) => await edge.say(`POST /it/ok HTTP/1.1\r\n${HEAD}Sec-Fetch-Site: cross-site\r\n\r\n`),
  ],
  [
    400,
    'to a Host that is none',
    async (edge) => await edge.say('GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n'),
  ],
  [400, 'to what is no HTTP', async (edge) => await edge.say('nonsense\r\n\r\n')],
  [
    431,
    'to large headers',
    async (edge) => await edge.say(`GET /it/ok HTTP/1.1\r\n${HEAD}X-Large: ${'x'.repeat(20_000)}\r\n\r\n`),
  ],
]

async function twice(edge: Edge): Promise<Response> {
  await edge.fetch('/it/ok')
  return await edge.fetch('/it/ok')
}

/** Status, headers and body as one text, as it came over the line. */
async function textOf(answer: unknown): Promise<string> {
  if (!(answer instanceof Response)) return String(answer)
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${answer.status} \r\n${headers}\r\n${await answer.text()}`
}

describe('every answer', () => {
  test.each(KINDS)('%i %s has its headers, and no word of where it came from', async (status, _what, get, options) => {
    await using edge = await startEdge(app(), options)
    const text = await textOf(await get(edge))
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    for (const line of ['x-content-type-options: nosniff', 'x-frame-options: DENY', 'referrer-policy: no-referrer'])
      expect(text.toLowerCase()).toContain(`${line.toLowerCase()}\r\n`)
    expect(text.match(/cross-origin-resource-policy: same-origin/gi)).toHaveLength(1)
    expect(text).not.toMatch(/x-powered-by|x-runtime|revela\/secrets|node_modules|\n +at /i)
  })

  test('a header of the function wins', async () => {
    await using edge = await startEdge(app())
    const { headers } = await edge.fetch('/it/vary')
    expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin')
  })

  test('what a function fails by is in the log alone', async () => {
    await using edge = await startEdge(app())
    const response = await edge.fetch('/it/throws')
    expect(await response.json()).toMatchObject({ code: 'internal-error', instance: '/it/throws' })
    expect(JSON.stringify(await edge.it.line('the failure', ({ msg }) => msg === 'function threw'))).toContain(SECRET)
    expect(edge.errors).toEqual([])
  })
})

describe('a busy function', () => {
  test('answers 503 with Retry-After, and works again', async () => {
    await using edge = await startEdge(app(), { concurrency: 1, timeoutMs: 60_000 })
    const leaving = new AbortController()
    const held = edge.fetch('/it/hang', { signal: leaving.signal }).catch(() => null)
    await until('the slot is taken', () => edge.it.fn.running === 1)
    const refused = await edge.fetch('/it/ok')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
    expect([...refused.headers.keys()].filter((name) => /run|match/.test(name))).toEqual([])
    leaving.abort()
    await held
  })
})

describe('origins', () => {
  const APP = 'https://app.example'
  const LOCAL = 'http://localhost:5173'
  const PRODUCTION = { NODE_ENV: 'production' }
  test.each([
    ['in development', {}, LOCAL, true],
    ['in development', {}, 'http://[::1]:5173', true],
    ['in development', {}, APP, false],
    ['in development', {}, 'http://localhost.evil.example', false],
    ['in production', PRODUCTION, LOCAL, false],
    ['that are listed', { CORS_ORIGINS: APP }, APP, true],
    ['that are listed, in production', { ...PRODUCTION, CORS_ORIGINS: `https://a.example,${APP}` }, APP, true],
    ['that are not listed', { CORS_ORIGINS: APP }, LOCAL, false],
    ['that are not listed', { CORS_ORIGINS: APP }, `${APP}:444`, false],
    ['all', { ...PRODUCTION, CORS_ORIGINS: '*' }, APP, true],
  ])('%s %o: %s is allowed: %s', async (_what, env, origin, allowed) => {
    await using edge = await startEdge(app(), { env })
    const asked = { origin, 'access-control-request-method': 'POST' }
    const preflight = await edge.fetch('/it/ok', { method: 'OPTIONS', headers: asked })
    const methods = preflight.headers.get('access-control-allow-methods')
    expect([preflight.status, preflight.headers.get('allow')]).toEqual([204, 'GET, HEAD, POST, DELETE, OPTIONS'])
    expect(methods).toBe(allowed ? preflight.headers.get('allow') : null)
    expect(preflight.headers.get('access-control-max-age')).toBe(allowed ? '600' : null)
    // A problem can be read as a result can.
    for (const path of ['/it/ok', '/it/conflict', '/it/elsewhere', '/it/fetched', '/nothing']) {
      const { headers } = await edge.fetch(path, { headers: { origin } })
      expect(headers.get('access-control-allow-origin')).toBe(allowed ? origin : null)
      expect(/Location, ETag, Retry-After/.test(headers.get('access-control-expose-headers') ?? '')).toBe(allowed)
      expect(headers.get('vary')).toBe(env === PRODUCTION ? null : 'Origin')
      expect(headers.has('access-control-allow-credentials')).toBe(false)
    }
  })

  test('a Vary of the function stays beside ours', async () => {
    await using edge = await startEdge(app(), { env: { CORS_ORIGINS: APP } })
    expect((await edge.fetch('/it/vary')).headers.get('vary')).toBe('Accept, Origin')
  })
})

describe('who calls', () => {
  test('is told to the function, by key, link, neither, or where there are no keys', async () => {
    const kind = async (edge: Edge, headers: Record<string, string> = {}, query = ''): Promise<unknown> =>
      await (await edge.fetch(`/it/caller${query}`, { headers })).json()
    await using open = await startEdge(app())
    expect(await kind(open)).toEqual({ kind: 'open' })
    await using keyed = await startEdge(app(), { env: KEYED, auth: 'link' })
    const byKey = await kind(keyed, KEY)
    expect(byKey).toEqual({ kind: 'key', keyId: expect.stringMatching(/^[0-9a-f]{16}$/) })
    expect(await kind(keyed, { authorization: `BEARER ${KEY['x-api-key']}` })).toEqual(byKey)
    expect(await kind(keyed)).toEqual({ kind: 'anonymous' })
    // A wrong key is refused where none is asked for, too.
    expect(await kind(keyed, { 'x-api-key': 'key-of-the-tesT' })).toMatchObject({ status: 401 })
  })
})
