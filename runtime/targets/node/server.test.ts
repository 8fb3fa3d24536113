import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { listen, type Listening, nodeServer } from './server.ts'

const HEADERS_MS = 150

describe('a client that is slow with its headers', () => {
  let listening: Listening | undefined
  afterEach(async () => {
    listening?.force()
    await listening?.close()
  })

  it.each([
    ['sends a byte now and then', 'GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ', 'a'],
    ['sends half a line', 'GE', ''],
    ['sends nothing', '', ''],
  ])('is cut off: it %s', async (_what, begin, more) => {
    let asked = 0
    const handler = async (): Promise<Response> => {
      asked++
      return new Response('ok')
    }
    listening = await listen(nodeServer(handler, { bodyIdleMs: 60_000, headersMs: HEADERS_MS }), 0, '127.0.0.1')
    const socket = connect(listening.port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.write(begin)
    const trickle = setInterval(() => more && socket.write(more), 10)
    await closed
    clearInterval(trickle)
    expect(text).toMatch(/^HTTP\/1\.1 408 [^]*"code":"request-timeout"/)
    expect(asked).toBe(0)
  })

  it('is no client whose answer takes long', async () => {
    const handler = async (): Promise<Response> => {
      await new Promise((resolve) => setTimeout(resolve, 4 * HEADERS_MS))
      return new Response('ok')
    }
    listening = await listen(nodeServer(handler, { bodyIdleMs: 60_000, headersMs: HEADERS_MS }), 0, '127.0.0.1')
    expect(await (await fetch(listening.url)).text()).toBe('ok')
  })
})

it('a connection that is kept alive ends when no other request comes', { timeout: 20_000 }, async () => {
  const listening = await listen(
    nodeServer(async () => new Response('ok')),
    0,
    '127.0.0.1',
  )
  const socket = connect(listening.port, '127.0.0.1').resume()
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  // `close` says whether there was an error.
  expect(await closed).toBe(false)
  await listening.close()
})
