/** One request and one answer: what goes out, what comes in, and how it ends when it does not. */
import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { MIB, SOURCE_FETCH_MS } from '#shared/limits.ts'
import type { OpenFetch } from '../fetch.ts'
import { closing, forever, names, problemOf, serve, serveTcp } from './server.ts'

const allowHosts = ['127.0.0.1']
const GET = { method: 'GET' as const }

export function exchanging(open: OpenFetch): void {
  describe('a request', () => {
    it('carries its own headers and the caller’s, and no cookies', async () => {
      await using server = await serve((_request, response) => response.setHeader('set-cookie', 'a=1').end('ok'))
      await using fetch = open({ allowHosts })
      for (const headers of [{ Accept: 'image/*', 'X-Mine': '1', Host: 'evil.example', 'Accept-Encoding': 'br' }, {}]) {
        const response = await fetch.request(`${server.url}/a%20b?c=d#e`, { ...GET, headers, signal: forever() })
        expect(response).toBeInstanceOf(Response)
        expect(response.status).toBe(200)
        expect(await response.text()).toBe('ok')
      }
      const [first, second] = server.requests
      expect(first!.url).toBe('/a%20b?c=d')
      expect(first!.headers).toEqual({
        host: `127.0.0.1:${server.port}`,
        connection: 'close',
        'user-agent': expect.stringMatching(/^Revela\/\d/),
        accept: 'image/*',
        'x-mine': '1',
        'accept-encoding': 'identity',
      })
      expect(second!.headers).not.toHaveProperty('cookie')
    })

    it('posts a body', async () => {
      await using server = await serve(async (request, response) => {
        const chunks: Buffer[] = []
        for await (const chunk of request) chunks.push(chunk as Buffer)
        response.writeHead(201).end(Buffer.concat(chunks))
      })
      await using fetch = open({ allowHosts })
      const headers = { 'Content-Type': 'application/json' }
      const init = { method: 'POST' as const, headers, body: '{"é":1}', signal: forever() }
      const response = await fetch.request(server.url, init)
      expect([response.status, await response.text()]).toEqual([201, '{"é":1}'])
      expect(server.requests[0]!.headers).toMatchObject({ 'content-type': 'application/json', 'content-length': '8' })
    })

    it.each([204, 205, 304, 404, 500])('gives a %i as it is', async (status) => {
      await using server = await serve((_request, response) => response.writeHead(status, { 'x-a': ['1', '2'] }).end())
      await using fetch = open({ allowHosts })
      const response = await fetch.request(server.url, { ...GET, signal: forever() })
      expect([response.status, response.headers.get('x-a'), await response.text()]).toEqual([status, '1, 2', ''])
    })

    it('does not decompress: a small answer stays small', async () => {
      const packed = gzipSync(Buffer.alloc(MIB))
      await using server = await serve((_request, response) =>
        response.setHeader('content-encoding', 'gzip').end(packed),
      )
      await using fetch = open({ allowHosts })
      const response = await fetch.request(server.url, { ...GET, signal: forever() })
      expect(Buffer.from(await response.arrayBuffer())).toEqual(packed)
    })

    describe('with a proxy in the environment', () => {
      afterEach(() => vi.unstubAllEnvs())
      it('does not use it', async () => {
        await using proxy = await serve((_request, response) => response.end('proxy'))
        await using server = await serve((_request, response) => response.end('server'))
        for (const name of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'HTTPS_PROXY']) vi.stubEnv(name, proxy.url)
        vi.stubEnv('NODE_USE_ENV_PROXY', '1')
        await using fetch = open({ allowHosts })
        expect(await (await fetch.request(server.url, { ...GET, signal: forever() })).text()).toBe('server')
        expect(proxy.connections).toHaveLength(0)
      })
    })
  })
}

export function streaming(open: OpenFetch): void {
  describe('a body', () => {
    it('is read as fast as it is taken, and cancelling it closes the connection', async () => {
      let sent = 0
      await using server = await serve(async (request, response) => {
        if (request.url === '/small') return response.end()
        for (; sent < 256 && !response.destroyed; sent++) {
          if (!response.write(Buffer.alloc(MIB))) await once(response, 'drain').catch(() => {})
        }
        return undefined
      })
      await using fetch = open({ allowHosts })
      const response = await fetch.request(server.url, { ...GET, signal: forever() })
      const reader = response.body!.getReader()
      expect((await reader.read()).done).toBe(false)
      for (let [still, last] = [0, -1]; still < 20; last = sent) {
        await (await fetch.request(`${server.url}/small`, { ...GET, signal: forever() })).text()
        still = sent === last ? still + 1 : 0
      }
      const [socket] = server.connections
      const closed = closing(socket!)
      await reader.cancel()
      await closed
      // What the kernel's buffers of both ends hold; never the 256 MiB that were on offer.
      expect(sent).toBeLessThan(64)
    })

    it.each([true, false])('ends with the signal (being read: %s), and so does its connection', async (reading) => {
      await using server = await serve((_request, response) => void response.write('first'))
      await using fetch = open({ allowHosts })
      const abort = new AbortController()
      const response = await fetch.request(server.url, { ...GET, signal: abort.signal })
      const reader = response.body!.getReader()
      await reader.read()
      const closed = closing(server.connections[0]!)
      const next = reading ? reader.read() : undefined
      abort.abort(new Error('too late'))
      expect((await problemOf(next ?? reader.read())).code).toBe('source-timeout')
      await closed
    })

    it('that is cut short is an error', async () => {
      await using server = await serve((_request, response) => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('first', () => response.destroy())
      })
      await using fetch = open({ allowHosts })
      const response = await fetch.request(server.url, { ...GET, signal: forever() })
      expect((await problemOf(response.text())).code).toBe('source-unreachable')
    })

    it('that trickles for ever ends when the time for the whole is over', async () => {
      const whole = new AbortController()
      const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(whole.signal)
      await using server = await serve((_request, response) => {
        const trickle = setInterval(() => response.write('.'), 1)
        response.on('close', () => clearInterval(trickle))
      })
      await using fetch = open({ allowHosts })
      const response = await fetch.request(server.url, { ...GET, signal: forever() })
      expect(timeout).toHaveBeenCalledWith(SOURCE_FETCH_MS)
      timeout.mockRestore()
      let bytes = 0
      const reading = (async () => {
        for await (const chunk of response.body!) {
          bytes += chunk.byteLength
          if (bytes > 5) whole.abort(new Error('time is over'))
        }
      })()
      expect((await problemOf(reading)).code).toBe('source-timeout')
    })
  })
}

export function failing(open: OpenFetch): void {
  describe('a server that', () => {
    it('never answers costs no more than the caller’s time', async () => {
      await using server = await serve(() => {})
      await using fetch = open({ allowHosts })
      const abort = new AbortController()
      const request = problemOf(fetch.request(server.url, { ...GET, signal: abort.signal }))
      await expect.poll(() => server.requests.length).toBe(1)
      const closed = closing(server.connections[0]!)
      abort.abort(new Error('too late'))
      expect(await request).toMatchObject({ code: 'source-timeout', message: expect.stringContaining('127.0.0.1') })
      await closed
    })

    it('is not even found while the resolver is silent', async () => {
      await using fetch = open({ allowHosts, lookup: () => {} })
      const abort = new AbortController()
      const request = problemOf(fetch.request('http://silent.example/', { ...GET, signal: abort.signal }))
      setImmediate(() => abort.abort(new Error('too late')))
      expect((await request).code).toBe('source-timeout')
    })

    it('is asked with a signal that has aborted before is not asked', async () => {
      await using server = await serve((_request, response) => response.end())
      await using fetch = open({ allowHosts })
      const signal = AbortSignal.abort(new Error('too late'))
      expect((await problemOf(fetch.request(server.url, { ...GET, signal }))).code).toBe('source-timeout')
      expect(server.connections).toHaveLength(0)
    })

    it('does not resolve is named, by its host alone', async () => {
      await using fetch = open({ allowHosts, lookup: names({}) })
      const problem = await problemOf(fetch.request('http://nowhere.example/a?secret', { ...GET, signal: forever() }))
      expect(problem.code).toBe('source-unreachable')
      expect(problem.message).toBe('nowhere.example could not be fetched from: its name does not resolve.')
    })

    it('refuses connections is unreachable', async () => {
      const server = await serve(() => {})
      await server[Symbol.asyncDispose]()
      await using fetch = open({ allowHosts, lookup: names({ 'cat.example': [['127.0.0.1']] }) })
      const problem = await problemOf(
        fetch.request(`http://cat.example:${server.port}/`, { ...GET, signal: forever() }),
      )
      expect(problem).toMatchObject({ code: 'source-unreachable', message: expect.stringContaining('refused') })
      expect(problem.message).not.toContain('127.0.0.1')
    })

    it.each([
      ['hangs up', ''],
      ['speaks no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
      ['sends headers without end', `HTTP/1.1 200 OK\r\n${'x-filler: 0123456789\r\n'.repeat(5_000)}`],
      ['sends a status that is none, and a body without end', 'HTTP/1.1 999 Strange\r\n\r\nbody'],
    ])('%s is unreachable, and its connection closed', async (what, answer) => {
      await using server = await serveTcp((socket) => {
        socket.once('data', () => (what === 'hangs up' ? socket.end() : socket.write(answer)))
      })
      await using fetch = open({ allowHosts })
      expect((await problemOf(fetch.request(server.url, { ...GET, signal: forever() }))).code).toBe(
        'source-unreachable',
      )
      await expect.poll(() => server.connections.every(({ destroyed }) => destroyed)).toBe(true)
    })

    it('speaks no TLS where TLS is asked for is unreachable', async () => {
      await using server = await serve((_request, response) => response.end())
      await using fetch = open({ allowHosts })
      const url = server.url.replace('http:', 'https:')
      const problem = await problemOf(fetch.request(url, { ...GET, signal: forever() }))
      expect(problem).toMatchObject({ code: 'source-unreachable', message: expect.stringContaining('TLS') })
    })

    it('is busy when everything is closed is let go', async () => {
      await using server = await serve(() => {})
      const fetch = open({ allowHosts })
      const request = problemOf(fetch.request(server.url, { ...GET, signal: forever() }))
      await expect.poll(() => server.requests.length).toBe(1)
      await fetch.close()
      expect((await request).code).toBe('source-unreachable')
    })
  })
}
