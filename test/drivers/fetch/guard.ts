/** The guard: what may be called, decided at the URL, at the resolver and at the socket. */
import { describe, expect, it } from 'vitest'
import { ConfigError } from '#shared/errors.ts'
import type { OpenFetch } from '../fetch.ts'
import { forever, names, problemOf, serve } from './server.ts'
import { CLOSED_ADDRESSES, CLOSED_URLS, OPEN_URLS } from './spellings.ts'

const GET = { method: 'GET' as const }

export function spelling(open: OpenFetch): void {
  describe('a URL as it is spelled', () => {
    it.each(CLOSED_URLS)('%j is refused, and the operator is told what would open it', async (url) => {
      await using fetch = open({ allowHosts: [], lookup: names({}) })
      const refusal = fetch.refusal(url)
      expect(refusal).toContain('expected an http or https URL')
      expect(refusal).toContain('ALLOW_HOSTS')
      expect(refusal).not.toContain('password')
      const problem = await problemOf(fetch.request(url, { ...GET, signal: forever() }))
      expect(problem).toMatchObject({ code: 'url-not-allowed', message: refusal })
    })

    it.each(OPEN_URLS)('%j may be fetched', async (url) => {
      await using fetch = open({ allowHosts: [], lookup: names({}) })
      expect(fetch.refusal(url)).toBeNull()
    })
  })
}

export function resolving(open: OpenFetch): void {
  describe('a name', () => {
    it.each(CLOSED_ADDRESSES)('that resolves to %s is refused, and nothing is sent there', async (address) => {
      await using server = await serve((_request, response) => response.end())
      await using fetch = open({ allowHosts: [], lookup: names({ 'cat.example': [[address]] }) })
      const url = `http://cat.example:${server.port}/`
      expect(fetch.refusal(url)).toBeNull()
      const problem = await problemOf(fetch.request(url, { ...GET, signal: forever() }))
      expect(problem.code).toBe('url-not-allowed')
      expect(problem.message).toContain('cat.example')
      // The answer must not become a way of asking our resolver.
      expect(problem.message).not.toContain(address)
      expect(server.connections).toHaveLength(0)
    })

    it.each([[['8.8.8.8', '127.0.0.1']], [['127.0.0.1', '8.8.8.8']], [['2606:4700:4700::1111', '::1']], [[]]])(
      'that resolves to %j is refused as a whole',
      async (addresses) => {
        await using server = await serve((_request, response) => response.end())
        await using fetch = open({ allowHosts: [], lookup: names({ 'cat.example': [addresses] }) })
        const request = fetch.request(`http://cat.example:${server.port}/`, { ...GET, signal: forever() })
        expect((await problemOf(request)).code).toBe('url-not-allowed')
        expect(server.connections).toHaveLength(0)
      },
    )

    it('that is public when it is asked for first and private the second time is refused the second time', async () => {
      await using server = await serve((_request, response) => response.end('inside'))
      // 127.0.0.2 plays the public address: it alone is open.
      const lookup = names({ 'cat.example': [['127.0.0.2'], ['127.0.0.1']] })
      await using fetch = open({ allowHosts: ['127.0.0.2'], lookup })
      const url = `http://cat.example:${server.port}/`
      expect((await problemOf(fetch.request(url, { ...GET, signal: forever() }))).code).toBe('source-unreachable')
      expect((await problemOf(fetch.request(url, { ...GET, signal: forever() }))).code).toBe('url-not-allowed')
      expect(server.connections).toHaveLength(0)
    })

    it('is asked for again at each request, even right after one that went well', async () => {
      await using server = await serve((_request, response) => response.end('well'))
      const lookup = names({ 'cat.example': [['127.0.0.1'], ['127.0.0.9']] })
      await using fetch = open({ allowHosts: ['127.0.0.1'], lookup })
      const url = `http://cat.example:${server.port}/`
      expect(await (await fetch.request(url, { ...GET, signal: forever() })).text()).toBe('well')
      expect((await problemOf(fetch.request(url, { ...GET, signal: forever() }))).code).toBe('url-not-allowed')
      expect(server.requests).toHaveLength(1)
    })
  })
}

export function opening(open: OpenFetch): void {
  describe('ALLOW_HOSTS', () => {
    const lookup = names({
      'files.internal': [['127.0.0.1']],
      'a.files.internal': [['127.0.0.1']],
      'xfiles.internal': [['127.0.0.1']],
      'xn--bcher-kva.internal': [['127.0.0.1']],
      localhost: [['127.0.0.1']],
    })

    it.each([
      ['files.internal', 'files.internal', true],
      ['files.internal', 'FILES.internal.', true],
      ['FILES.Internal.', 'files.internal', true],
      [' files.internal ', 'files.internal', true],
      ['bücher.internal', 'bücher.internal', true],
      ['files.internal', 'a.files.internal', false],
      ['files.internal', 'xfiles.internal', false],
      ['files.internal', '127.0.0.1', false],
      ['*.files.internal', 'a.files.internal', true],
      ['*.files.internal', 'files.internal', false],
      ['*.files.internal', 'xfiles.internal', false],
      ['files.internal:PORT', 'files.internal', true],
      ['files.internal:1', 'files.internal', false],
      ['*.files.internal:PORT', 'a.files.internal', true],
      ['*.files.internal:1', 'a.files.internal', false],
      ['localhost', 'localhost', true],
      ['localhost', '127.0.0.1', false],
      ['127.0.0.1', '127.0.0.1', true],
      ['127.0.0.1', '2130706433', true],
      ['127.0.0.1', '[::ffff:127.0.0.1]', true],
      ['0x7f.1', '127.0.0.1', true],
      ['127.0.0.1', 'files.internal', true],
      ['127.0.0.1:PORT', 'files.internal', true],
      ['127.0.0.1:1', 'files.internal', false],
      ['127.0.0.1:1', '127.0.0.1', false],
      ['127.0.0.1', 'localhost', false],
      ['127.0.0.2', '127.0.0.1', false],
      ['127.0.0.0/8', '127.0.0.1', true],
      ['127.0.0.0/8', 'files.internal', true],
      ['127.0.0.0/31', '127.0.0.1', true],
      ['127.0.0.0/32', '127.0.0.1', false],
      ['10.0.0.0/8', '127.0.0.1', false],
      ['::ffff:127.0.0.0/104', '127.0.0.1', true],
      ['0.0.0.0/0', '127.0.0.1', true],
      ['::/0', '127.0.0.1', false],
    ])('%j and %s: %j', async (entry, host, served) => {
      await using server = await serve((_request, response) => response.end('inside'))
      await using fetch = open({ allowHosts: ['unrelated.example', entry.replace('PORT', `${server.port}`)], lookup })
      const url = `http://${host}:${server.port}/`
      const answer = fetch.request(url, { ...GET, signal: forever() }).then(
        async (response) => await response.text(),
        ({ code }: { code: string }) => code,
      )
      expect(await answer).toBe(served ? 'inside' : 'url-not-allowed')
      expect(server.connections).toHaveLength(served ? 1 : 0)
    })

    // Not every machine has IPv6 to answer from, so that it may be asked is all there is to see.
    it.each(['::1', '[::1]', '[::1]:80', '::/64', '0::1'])('%s opens [::1], and not its neighbour', async (entry) => {
      await using fetch = open({ allowHosts: [entry] })
      expect(fetch.refusal('http://[::1]/')).toBeNull()
      expect(fetch.refusal('http://[fd00::1]/')).not.toBeNull()
    })

    it('opens no scheme and no credentials', async () => {
      await using fetch = open({ allowHosts: ['files.internal'], lookup })
      expect(fetch.refusal('ftp://files.internal/')).toContain('ftp')
      expect(fetch.refusal('http://user:password@files.internal/')).toContain('credentials')
    })

    it.each([
      '',
      '*',
      '**.example.com',
      'a b',
      'http://example.com',
      'example.com/path',
      '10.0.0.0/33',
      '10.0.0/8',
      'user@example.com',
      'example.com:99999',
      'example.com:',
      '*.10.0.0.1',
      '[::1',
      '::1%lo',
      '10.0.0.0/8/8',
    ])('takes no %j, and names itself', (entry) => {
      expect(() => open({ allowHosts: [entry] })).toThrow(ConfigError)
      expect(() => open({ allowHosts: [entry] })).toThrow(/^ALLOW_HOSTS: expected .* got /)
    })
  })
}
