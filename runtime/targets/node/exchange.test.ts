import { createServer, connect, type ServerHttp2Stream } from 'node:http2'
import { duplexPair } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { testInvocation } from '../../../test/bindings.ts'
import { until } from '../../../test/runtime/until.ts'
import { cutOff, exchange } from './exchange.ts'

/** One exchange with a child that says whatever the test wants. */
function exchangeWith(child: (stream: ServerHttp2Stream) => void, heard: (notes: number) => Promise<void>) {
  const [ours, theirs] = duplexPair()
  const server = createServer()
  server.on('stream', (stream) => child(stream.on('error', () => {})))
  server.emit('connection', theirs)
  const session = connect('http://container', { createConnection: () => ours })
  // As in a container: what goes wrong shows on each stream.
  session.on('error', () => {})
  const request = new Request('http://localhost/a?b=1')
  let closed = false
  const onClose = (): void => void (closed = true)
  const response = exchange({ session, request, invocation: testInvocation(), heard, onClose })
  return { session, socket: ours, response, isClosed: () => closed }
}

type Exchanged = ReturnType<typeof exchangeWith>

describe('an exchange', () => {
  it('waits for the notes that were sent before the Response', async () => {
    const notes = Promise.withResolvers<void>()
    const asked: number[] = []
    const { response, isClosed } = exchangeWith(
      (stream) => {
        stream.respond({ ':status': 200, 'x-revela-notes': '2' })
        stream.end('body')
      },
      async (count) => {
        asked.push(count)
        await notes.promise
      },
    )
    let answered = false
    void response.then(() => (answered = true))
    await until('the Response is here as a whole', () => asked.length > 0 && isClosed())
    expect([asked, answered]).toEqual([[2], false])
    notes.resolve()
    expect(await (await response).text()).toBe('body')
  })

  it.each([
    ['the end of its process is seen first', ({ session }: Exchanged) => cutOff(session)],
    ['the end of its socket is seen first', ({ socket }: Exchanged) => void socket.destroy()],
  ])('is no whole answer where the container ends in the middle of it, and %s', async (_which, end) => {
    const exchanged = exchangeWith(
      (stream) => {
        stream.respond({ ':status': 200 })
        stream.write('half')
      },
      async () => {},
    )
    const reader = (await exchanged.response).body!.getReader()
    expect((await reader.read()).value?.byteLength).toBe(4)
    end(exchanged)
    await expect(reader.read()).rejects.toThrow('The container ended in mid-answer.')
  })
})
