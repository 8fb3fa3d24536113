/** A request that Node's parser gives up in mid-body is answered, unless its answer has begun. */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { listen, type Listening, nodeServer } from './server.ts'

const HEAD = 'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n'
const MALFORMED_CHUNK = '5\r\nhello\r\nzz\r\n'
const IDLE_MS = 60_000
const HEADERS_MS = 150

let listening: Listening | undefined
afterEach(async () => {
  listening?.force()
  await listening?.close()
})

type Handler = (request: Request) => Promise<Response>

async function asked(handler: Handler, { totalMs = IDLE_MS, idleMs = IDLE_MS, first = HEAD } = {}) {
  const server = nodeServer(handler, { publicUrl: 'https://pics.example', bodyIdleMs: idleMs, headersMs: HEADERS_MS })
  server.requestTimeout = totalMs
  listening = await listen(server, 0, '127.0.0.1')
  // The server's end of it: the client's may stay open when that is gone.
  const closed = once(server, 'connection').then(async ([theirs]) => await once(theirs as Socket, 'close'))
  const socket: Socket = connect({ port: listening.port, host: '127.0.0.1', allowHalfOpen: true })
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  socket.on('error', () => undefined)
  socket.write(first)
  return { socket, ended: once(socket, 'end'), closed, text: () => text }
}

const reading: Handler = async (request) => {
  const body = await request.text().catch(() => null)
  return new Response(body, { status: body === null ? 408 : 200 })
}

it.each([
  ['what is no HTTP', 'nonsense\r\n\r\n', 'invalid-request'],
  ['a Host that is no host', 'GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 'invalid-request'],
  ['a header that is too large', `GET / HTTP/1.1\r\nX-Large: ${'x'.repeat(100_000)}`, 'headers-too-large'],
])('%s is a problem whose type is at PUBLIC_URL', async (_what, first, code) => {
  const { ended, text } = await asked(reading, { first })
  await ended
  expect(text()).toContain(`"type":"https://pics.example/problems/${code}"`)
})

it('a malformed chunk is a 400, though the function waits for more', async () => {
  const { socket, ended, closed, text } = await asked(reading)
  socket.write(MALFORMED_CHUNK)
  await ended
  socket.end()
  await closed
  expect(text()).toMatch(/^HTTP\/1\.1 400 [^]*"code":"invalid-request"[^]*\}$/)
})

it('an upload that takes too long in all is a 408, however steadily it arrives', async () => {
  const { socket, ended, closed, text } = await asked(reading, { totalMs: 2 * HEADERS_MS })
  const trickle = setInterval(() => socket.write('1\r\na\r\n'), 10)
  await ended
  clearInterval(trickle)
  socket.end()
  await closed
  expect(text()).toMatch(/^HTTP\/1\.1 408 [^]*"code":"request-timeout"[^]*\}$/)
})

it('an answer that is under way gets no other one into its middle', async () => {
  const { socket, closed, text } = await asked(
    async () => new Response(new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('begun')) })),
  )
  await expect.poll(text).toContain('begun')
  socket.write(MALFORMED_CHUNK)
  await closed
  expect(text().match(/HTTP\/1\.1/g)).toHaveLength(1)
})

/** Answers `/slow` when it is told to, and any other request at once. */
function pipelined() {
  const slow = Promise.withResolvers<Response>()
  const begun = Promise.withResolvers<void>()
  const handler: Handler = async (request) => {
    if (!request.url.endsWith('/slow')) return await reading(request)
    begun.resolve()
    return await slow.promise
  }
  return { handler, slow, begun: begun.promise }
}
const SLOW = 'GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n'

it.each([
  ['a malformed chunk behind a request that is at work', HEAD + MALFORMED_CHUNK],
  ['what is no HTTP behind a request that is at work', 'nonsense\r\n\r\n'],
])('%s is no answer to that one', async (_what, behind) => {
  const { handler, begun } = pipelined()
  const { socket, closed, text } = await asked(handler, { first: SLOW })
  await begun
  socket.write(behind)
  await closed
  expect(text()).toBe('')
})

it('a malformed chunk behind an answer that is under way does not get into its middle', async () => {
  const { handler, slow, begun } = pipelined()
  const { socket, closed, text } = await asked(handler, { first: SLOW })
  await begun
  const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from('begun')) })
  slow.resolve(new Response(body, { headers: { 'content-length': '1000' } }))
  await expect.poll(text).toContain('begun')
  socket.write(HEAD + MALFORMED_CHUNK)
  await closed
  expect(text().match(/HTTP\/1\.1/g)).toHaveLength(1)
})

it('what is no HTTP behind an answer that was sent is a 400', async () => {
  const { socket, ended, text } = await asked(reading, { first: 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' })
  await expect.poll(text).toContain('HTTP/1.1 200')
  socket.write('nonsense\r\n\r\n')
  await ended
  expect(text()).toMatch(/^HTTP\/1\.1 200 [^]*HTTP\/1\.1 400 /)
})

it('who was answered so and keeps the connection open loses it', async () => {
  const hanging: Handler = async () => await new Promise<never>(() => undefined)
  const { socket, ended, closed, text } = await asked(hanging, { idleMs: 50 })
  socket.write(MALFORMED_CHUNK)
  await ended
  await closed
  expect(text()).toMatch(/^HTTP\/1\.1 400 /)
})

it('and an answer that comes too late is no fault of the process', async () => {
  const late = Promise.withResolvers<Response>()
  const { socket, ended, closed, text } = await asked(async () => await late.promise, { idleMs: 50 })
  socket.write(MALFORMED_CHUNK)
  await ended
  late.resolve(new Response('too late'))
  await closed
  expect(text()).not.toContain('too late')
})
