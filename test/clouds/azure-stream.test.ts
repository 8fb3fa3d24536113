/** Azure with bodies that flow: the library's own way of it, around which the host here is ours. */
import { once } from 'node:events'
import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { entry, type Program, startOnFreePort } from './programs.ts'
import { type StorageQueueServer, storageQueueServer } from './storage-queue-server.ts'
import { hasStores, openStores } from './stores.ts'

const HOST = fileURLToPath(new URL('azure-stream-host.ts', import.meta.url))
const FUNCTIONS_FOLDER = fileURLToPath(new URL('fixtures/functions', import.meta.url))

describe.skipIf(!(await hasStores()))('azure, streaming', () => {
  const stack = new AsyncDisposableStack()
  let program: Program
  beforeAll(async () => {
    const stores = stack.use(await openStores())
    const storage: StorageQueueServer = stack.use(await storageQueueServer())
    program = await startOnFreePort((port) => ({
      command: [process.execPath, HOST, entry('azure'), String(port)],
      env: {
        ...stores.env,
        AUTH: 'platform',
        AZURE_STORAGE_CONNECTION_STRING: storage.connection,
        FUNCTIONS_FOLDER,
        FUNCTIONS: 'echo',
        AZURE_HTTP_STREAM: 'on',
      },
    }))
    stack.defer(async () => await program.stop())
  }, 120_000)
  afterAll(async () => await stack.disposeAsync(), 120_000)

  test('what is sent comes back before the rest is sent', async () => {
    const sent = request(`${program.url}/echo`, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } })
    sent.write('first')
    const [answer] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
    const chunks = answer[Symbol.asyncIterator]()
    expect(String((await chunks.next()).value)).toBe('first')
    sent.end('second')
    expect(String((await chunks.next()).value)).toBe('second')
    expect((await chunks.next()).done).toBe(true)
    expect([answer.statusCode, answer.headers['set-cookie']]).toEqual([200, ['a=1; Path=/', 'b=x%20y; HttpOnly']])
  })

  test('300,000 bytes are the same', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 256))
    const response = await fetch(`${program.url}/echo`, { method: 'POST', body: bytes })
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes)
  })

  test('what no function answers has the answer of every target', async () => {
    const response = await fetch(`${program.url}/echo`)
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST, OPTIONS'])
    expect(await response.json()).toMatchObject({ code: 'method-not-allowed' })
  })
})
