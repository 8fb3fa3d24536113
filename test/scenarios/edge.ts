/** What stands around every endpoint: methods, hosts, origins, headers, operations. */
import { describe, expect, it } from 'vitest'
import { PROBLEMS } from '#shared/errors.ts'
import { picture } from '../pictures.ts'
import { answerOf, problemOf } from './client.ts'
import { UNKNOWN_ID } from './get-task.ts'
import { ask, say } from './raw-request.ts'
import type { Place } from './running.ts'

export function edge(place: Place): void {
  describe('methods', () => {
    it.each([
      ['/tasks', ['PUT', 'PATCH', 'DELETE', 'TRACE'], 'GET, HEAD, OPTIONS, POST'],
      [`/tasks/${UNKNOWN_ID}`, ['POST', 'PUT', 'PATCH', 'TRACE'], 'DELETE, GET, HEAD, OPTIONS'],
      [`/tasks/${UNKNOWN_ID}/variants/1x1`, ['POST', 'PUT', 'DELETE'], 'GET, HEAD, OPTIONS'],
      [`/tasks/${UNKNOWN_ID}/original`, ['POST', 'PUT', 'DELETE'], 'GET, HEAD, OPTIONS'],
      ['/openapi.json', ['POST', 'DELETE'], 'GET, HEAD, OPTIONS'],
    ])('%s names those that it has', async (path, methods, allowed) => {
      const sorted = (header: unknown): string => String(header).split(', ').toSorted().join(', ')
      for (const method of methods) {
        const { status, headers, body } = await ask(`${place.api.url}${path}`, {}, method)
        expect([method, status, sorted(headers.allow), body.code]).toEqual([method, 405, allowed, 'method-not-allowed'])
      }
      const options = await place.api.fetch(path, { method: 'OPTIONS' })
      expect([options.status, sorted(options.headers.get('allow'))]).toEqual([204, allowed])
    })

    it.each([
      '/',
      '/task',
      '/tasks/',
      `/tasks/${UNKNOWN_ID}/`,
      `/tasks/${UNKNOWN_ID}/variants`,
      '//tasks',
      '/favicon.ico',
    ])('there is nothing at %s', async (path) => {
      expect((await ask(`${place.api.url}${path}`, {})).body).toMatchObject({ status: 404, code: 'not-found' })
    })
  })

  describe('a server without keys', () => {
    it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', 'localhost@evil.example'])(
      'answers 421 or 400 to Host %s',
      async (host) => {
        const { status, body } = await ask(`${place.api.url}/tasks`, { host })
        expect([
          [421, 'misdirected-request'],
          [400, 'invalid-request'],
        ]).toContainEqual([status, body.code])
      },
    )

    it.each(['localhost', 'localhost:9', '127.0.0.1:80', '[::1]:3000', 'LOCALHOST'])(
      'answers to Host %s',
      async (host) => {
        expect((await ask(`${place.api.url}/tasks?limit=1`, { host })).status).toBe(200)
      },
    )

    it('takes nothing from a page of another site, and shows it what it may see', async () => {
      const headers = { 'sec-fetch-site': 'cross-site' }
      const cat = await picture({ width: 60, height: 40 })
      expect(await answerOf(await place.api.upload(cat, {}, headers))).toBe('403 cross-site')
      const remove = await place.api.fetch(`/tasks/${UNKNOWN_ID}`, { method: 'DELETE', headers })
      expect(await answerOf(remove)).toBe('403 cross-site')
      expect((await place.api.fetch('/tasks?limit=1', { headers })).status).toBe(200)
      expect((await place.api.upload(cat, {}, { 'sec-fetch-site': 'same-origin' })).status).toBe(202)
    })
  })

  describe('origins', () => {
    const preflight = async (origin: string): Promise<Headers> => {
      const headers = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'prefer' }
      return (await place.api.fetch('/tasks', { method: 'OPTIONS', headers })).headers
    }

    it('those of this machine are allowed in development, Location and ETag exposed', async () => {
      for (const origin of ['http://localhost:5173', 'http://127.0.0.1:8080']) {
        const allowed = await preflight(origin)
        expect(allowed.get('access-control-allow-origin')).toBe(origin)
        expect(allowed.get('access-control-allow-methods')).toContain('POST')
        expect(allowed.get('access-control-allow-headers')?.toLowerCase()).toMatch(/prefer.*if-modified-since/)
        const { headers } = await place.api.fetch('/tasks?limit=1', { headers: { origin } })
        expect(headers.get('access-control-allow-origin')).toBe(origin)
        expect(headers.get('access-control-expose-headers')).toMatch(/Location.*ETag/)
        expect(headers.get('vary')).toContain('Origin')
      }
    })

    it.each(['https://evil.example', 'http://localhost.evil.example', 'null'])('%s is not', async (origin) => {
      expect((await preflight(origin)).has('access-control-allow-origin')).toBe(false)
      const { headers } = await place.api.fetch('/tasks?limit=1', { headers: { origin } })
      expect(headers.has('access-control-allow-origin')).toBe(false)
    })
  })

  describe('headers', () => {
    it('every answer says how it may be used', async () => {
      for (const path of ['/tasks', '/nothing', '/docs', '/healthz']) {
        const { headers } = await place.api.fetch(path)
        expect(Object.fromEntries(headers)).toMatchObject({
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
          'x-frame-options': 'DENY',
        })
        expect(headers.get('traceparent')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
        expect(headers.has('x-powered-by')).toBe(false)
      }
    })

    it('headers and URLs that are too large are 431', async () => {
      const long = 'a'.repeat(20_000)
      for (const [path, headers] of [
        ['/tasks', { 'x-large': long }],
        [`/tasks?cursor=${long}`, {}],
      ] as const) {
        const { status, body, headers: answered } = await ask(`${place.api.url}${path}`, headers)
        expect([status, body.code]).toEqual([431, 'headers-too-large'])
        expect(answered['content-type']).toBe('application/problem+json')
      }
    })

    it.each([
      'nonsense\r\n\r\n',
      'GET / HTTP/1.1\r\n: x\r\n\r\n',
      'GET /tasks HTTP/1.1\r\nConnection: close\r\nHost: a b\r\n\r\n',
    ])('what is no HTTP is 400, as a problem: %j', async (text) => {
      const answer = await say(place.api.url, text)
      expect(answer).toMatch(
        /^HTTP\/1\.1 4(00|21) .*application\/problem\+json.*"code":"(invalid|misdirected)-request"/s,
      )
    })
  })

  describe('operations', () => {
    it('health and readiness', async () => {
      expect(await (await place.api.fetch('/healthz')).json()).toEqual({ status: 'ok' })
      expect(await (await place.api.fetch('/readyz')).json()).toMatchObject({ status: 'ready', broken: [] })
    })

    it('metrics count what is done, with no text of a client in them', async () => {
      await place.api.completed(await picture(), { variants: '9x', metadata: '{"secret":"of-the-client"}' })
      const text = await (await place.api.fetch('/metrics')).text()
      for (const name of [
        'faas_invocations_total',
        'faas_invoke_duration_seconds_bucket',
        'faas_coldstarts_total',
        'queue_messages',
      ])
        expect(text).toContain(name)
      expect(text).not.toMatch(/of-the-client|[0-9a-f]{8}-[0-9a-f]{4}-7/)
    })

    it('the page of the docs loads from here alone', async () => {
      const response = await place.api.fetch('/docs')
      expect(response.headers.get('content-security-policy')).toContain("default-src 'self'")
      const page = await response.text()
      const assets = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, asset]) => asset!)
      expect(assets.length).toBeGreaterThan(2)
      for (const asset of assets) {
        expect(asset).not.toMatch(/^(https?:)?\/\//)
        expect((await place.api.fetch(new URL(asset, `${place.api.url}/docs`).href)).status).toBe(200)
      }
      expect(await answerOf(await place.api.fetch('/docs/package.json'))).toBe('404 not-found')
      expect(await answerOf(await place.api.fetch('/docs/..%2f..%2fpackage.json'))).toBe('404 not-found')
    })

    it('every code has a page, and no other has', async () => {
      for (const [code, { title }] of Object.entries(PROBLEMS)) {
        const response = await place.api.fetch(`/problems/${code}`)
        expect([response.status, await response.text()]).toEqual([200, expect.stringContaining(title)])
      }
      for (const code of ['nonsense', 'constructor', '__proto__'])
        expect((await problemOf(await place.api.fetch(`/problems/${code}`))).status).toBe(404)
    })
  })
}
