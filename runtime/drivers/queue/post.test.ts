import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { post } from './post.ts'

/** Hands each connection's requests to the test, as whole as they come. */
async function rawServer(onData: (socket: Socket, connection: number) => void) {
  let connections = 0
  const server = createServer((socket) => {
    const connection = ++connections
    socket.on('error', () => undefined)
    socket.on('data', () => onData(socket, connection))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => await new Promise<void>((resolve) => server.close(() => resolve())),
  }
}

test('a connection that its peer has closed is no outage', async () => {
  const asked: number[] = []
  await using server = await rawServer((socket, connection) => {
    asked.push(connection)
    if (connection === 1) socket.destroy()
    else socket.end('HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  })
  await post(server.url, { headers: {}, body: 'x' })
  expect(asked).toEqual([1, 2])
})

test('two connections that break are one', async () => {
  let asked = 0
  await using server = await rawServer((socket) => {
    asked++
    socket.destroy()
  })
  await expect(post(server.url, { headers: {}, body: 'x' })).rejects.toMatchObject({ code: 'unavailable' })
  expect(asked).toBe(2)
})
