import type { LookupAddress } from 'node:dns'
import { createRequire } from 'node:module'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { undiciFetch } from './undici.ts'

function undiciIsLoaded(): boolean {
  return Object.keys(createRequire(import.meta.url).cache).some((path) =>
    /[\\/]node_modules[\\/]undici[\\/]/.test(path),
  )
}

// First in its file: the module stays loaded.
it('loads undici with the first request, not before', async () => {
  const fetch = undiciFetch({ allowHosts: ['127.0.0.1'] })
  expect(fetch.refusal('http://10.0.0.1/')).not.toBeNull()
  await fetch.close()
  expect(undiciIsLoaded()).toBe(false)
  await expect(
    fetch.request('http://127.0.0.1:1/', { method: 'GET', signal: new AbortController().signal }),
  ).rejects.toMatchObject({ code: 'source-unreachable' })
  expect(undiciIsLoaded()).toBe(true)
  await fetch.close()
})

/** An answer that is public when it is looked at and 127.0.0.1 when it is used. */
function turncoat(): LookupAddress {
  let reads = 0
  return {
    family: 4,
    get address() {
      return reads++ === 0 ? '8.8.8.8' : '127.0.0.1'
    },
  }
}

it.each(['http:', 'https:'])('says no word to a socket that ended up elsewhere (%s)', async (protocol) => {
  const received: Buffer[] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => received.push(chunk))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const fetch = undiciFetch({ allowHosts: [], lookup: (_host, _options, callback) => callback(null, [turncoat()]) })
  const url = `${protocol}//cat.example:${port}/`
  await expect(fetch.request(url, { method: 'GET', signal: new AbortController().signal })).rejects.toMatchObject({
    code: 'url-not-allowed',
  })
  await expect.poll(() => sockets.length).toBeGreaterThan(0)
  await expect.poll(() => sockets.every(({ readableEnded, destroyed }) => readableEnded || destroyed)).toBe(true)
  expect(Buffer.concat(received).toString('latin1')).toBe('')
  await fetch.close()
  for (const socket of sockets) socket.destroy()
  server.close()
  await once(server, 'close')
})
