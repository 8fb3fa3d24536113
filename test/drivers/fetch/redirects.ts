/** Redirects: few, for GET alone, each judged like a URL that was sent. */
import { describe, expect, it } from 'vitest'
import type { OpenFetch } from '../fetch.ts'
import { forever, names, problemOf, serve, type LocalServer } from './server.ts'

const allowHosts = ['127.0.0.1']
const GET = { method: 'GET' as const }

/** `/to?URL` redirects to URL with `status`, `/chain/n` n times, anything else is there. */
async function redirector(status = 302): Promise<LocalServer> {
  return await serve((request, response) => {
    const [path, query] = request.url!.split('?') as [string, string | undefined]
    const left = Number(/^\/chain\/(\d+)$/.exec(path)?.[1] ?? 0)
    if (path === '/loop') response.writeHead(status, { location: '/loop' }).end()
    else if (left > 0) response.writeHead(status, { location: `${left - 1}`, 'set-cookie': 'a=1' }).end()
    else if (path === '/to') response.writeHead(status, { location: decodeURIComponent(query!) }).end('moved')
    else response.end(`here: ${request.url}`)
  })
}

export function redirecting(open: OpenFetch): void {
  describe('a redirect', () => {
    it.each([301, 302, 303, 307, 308])('of %i is followed by a GET, relative or not', async (status) => {
      await using server = await redirector(status)
      await using fetch = open({ allowHosts })
      for (const target of ['/there?a', 'there?a', `${server.url}/there?a`]) {
        const url = `${server.url}/to?${encodeURIComponent(target)}`
        expect(await (await fetch.request(url, { ...GET, signal: forever() })).text()).toBe('here: /there?a')
      }
    })

    it.each([301, 302, 303, 307, 308])('of %i is not followed by a POST, but returned', async (status) => {
      await using server = await redirector(status)
      await using fetch = open({ allowHosts })
      const url = `${server.url}/to?${encodeURIComponent('http://169.254.169.254/')}`
      const response = await fetch.request(url, { method: 'POST', body: '{}', signal: forever() })
      expect([response.status, response.headers.get('location')]).toEqual([status, 'http://169.254.169.254/'])
      expect(await response.text()).toBe('moved')
      expect(server.requests).toHaveLength(1)
    })

    it.each([300, 304, 305, 302])('of %i without a target is an answer', async (status) => {
      await using server = await serve((_request, response) => response.writeHead(status).end())
      await using fetch = open({ allowHosts })
      expect((await fetch.request(server.url, { ...GET, signal: forever() })).status).toBe(status)
    })

    it('may be taken three times, without cookies, and not four', async () => {
      await using server = await redirector()
      await using fetch = open({ allowHosts })
      const signal = forever()
      expect(await (await fetch.request(`${server.url}/chain/3`, { ...GET, signal })).text()).toBe('here: /chain/0')
      expect(server.requests).toHaveLength(4)
      for (const request of server.requests) expect(request.headers).not.toHaveProperty('cookie')
      const problem = await problemOf(fetch.request(`${server.url}/chain/4`, { ...GET, signal }))
      expect(problem).toMatchObject({ code: 'source-unreachable', message: expect.stringContaining('3 times') })
      expect(server.requests).toHaveLength(8)
    })

    it('to itself ends', async () => {
      await using server = await redirector()
      await using fetch = open({ allowHosts })
      const problem = await problemOf(fetch.request(`${server.url}/loop`, { ...GET, signal: forever() }))
      expect(problem.code).toBe('source-unreachable')
      expect(server.requests).toHaveLength(4)
      await expect.poll(() => server.connections.every(({ destroyed }) => destroyed)).toBe(true)
    })

    it('is followed without waiting for its own body, whose connection is closed', async () => {
      await using server = await serve((request, response) => {
        if (request.url === '/there') response.end('here')
        else response.writeHead(302, { location: '/there' }).write('for ever')
      })
      await using fetch = open({ allowHosts })
      expect(await (await fetch.request(server.url, { ...GET, signal: forever() })).text()).toBe('here')
      await expect.poll(() => server.connections.map(({ destroyed }) => destroyed)).toEqual([true, true])
    })

    it.each([
      'http://169.254.169.254/latest/meta-data/',
      'http://127.0.0.2/',
      'http://0x7f000002/',
      'http://[::1]/',
      'http://localhost/',
      'file:///etc/passwd',
      'http://user:password@127.0.0.1/',
      '//10.0.0.1/',
      'http://inside.example/',
    ])('to %s is refused', async (target) => {
      await using server = await redirector()
      await using fetch = open({ allowHosts, lookup: names({ 'inside.example': [['10.0.0.1']] }) })
      const url = `${server.url}/to?${encodeURIComponent(target)}`
      expect((await problemOf(fetch.request(url, { ...GET, signal: forever() }))).code).toBe('url-not-allowed')
    })

    it.each(['http://', 'http://[', 'http://256.1.1.1/'])(
      'to %s, which is no URL, is the server’s fault',
      async (target) => {
        await using server = await redirector()
        await using fetch = open({ allowHosts })
        const url = `${server.url}/to?${encodeURIComponent(target)}`
        expect((await problemOf(fetch.request(url, { ...GET, signal: forever() }))).code).toBe('source-unreachable')
      },
    )

    it('takes the caller’s headers to no other origin, nor back from there', async () => {
      await using home = await redirector()
      await using foreign = await redirector()
      await using fetch = open({ allowHosts })
      const back = `${foreign.url}/to?${encodeURIComponent(`${home.url}/back`)}`
      const url = `${home.url}/to?${encodeURIComponent(`/to?${encodeURIComponent(back)}`)}`
      const headers = { authorization: 'Bearer secret' }
      const response = await fetch.request(url, { ...GET, headers, signal: forever() })
      expect(await response.text()).toBe('here: /back')
      expect(home.requests.map((request) => request.headers.authorization)).toEqual([
        'Bearer secret',
        'Bearer secret',
        undefined,
      ])
      expect(foreign.requests.map((request) => request.headers.authorization)).toEqual([undefined])
    })
  })
}
