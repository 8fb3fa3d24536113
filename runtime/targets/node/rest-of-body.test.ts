import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { listen, type Listening, nodeServer } from './server.ts'

/** More than anyone reads ahead. */
const BODY = Buffer.alloc(1_048_576)

type Handler = (request: Request) => Promise<Response>

describe('a body that is refused', () => {
  let listening: Listening | undefined
  afterEach(async () => {
    listening?.force()
    await listening?.close()
  })

  /** Two requests on one connection; the second when the body of the first is through. */
  async function twice(refuse: Handler): Promise<string> {
    const server = nodeServer(async (request) =>
      request.method === 'POST' ? await refuse(request) : new Response('ok'),
    )
    const asked = once(server, 'request') as Promise<[IncomingMessage]>
    listening = await listen(server, 0, '127.0.0.1')
    const socket = connect(listening.port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString('latin1')))
    const over = once(socket, 'close')
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BODY.length}\r\n\r\n`)
    socket.write(BODY)
    const [incoming] = await asked
    await Promise.race([new Promise((resolve) => incoming.once('end', resolve)), over])
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    await over
    return [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status).join(' ')
  }

  const refusal = () => new Response('too large', { status: 413 })

  it.each<[string, Handler]>([
    ['without a look at it', async () => refusal()],
    [
      'when it was asked for',
      async ({ body }) => {
        body?.getReader()
        return refusal()
      },
    ],
    [
      'after its first bytes',
      async ({ body }) => {
        await body?.getReader().read()
        return refusal()
      },
    ],
    [
      'and let go of',
      async ({ body }) => {
        const reader = body?.getReader()
        await reader?.read()
        await reader?.cancel()
        return refusal()
      },
    ],
  ])('leaves the connection to the next request: %s', async (_how, refuse) => {
    expect(await twice(refuse)).toBe('413 200')
  })

  it('ends with an error for who reads it still', async () => {
    let reading: Promise<unknown> | undefined
    await twice(async ({ body }) => {
      const reader = body!.getReader()
      const readAll = async (): Promise<number> => {
        for (let bytes = 0; ;) {
          await new Promise((resolve) => setImmediate(resolve))
          const { done, value } = await reader.read()
          if (done) return bytes
          bytes += value.length
        }
      }
      reading = readAll().catch((error: unknown) => error)
      return refusal()
    })
    // However fast it was: all of it, or an error; never a part that looks whole.
    expect([BODY.length, expect.any(Error)]).toContainEqual(await reading)
  })
})
