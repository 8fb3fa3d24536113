import { expect, test } from 'vitest'
import { recordedLog } from '../../../test/runtime/log.ts'
import { say } from '../../../test/scenarios/raw-request.ts'
import type { Core } from '../../core.ts'
import { listenAll } from './listen.ts'

test('a scrape of metrics that cannot be had is 503 and a line, and the next is answered', async () => {
  const log = recordedLog()
  const registry = { contentType: 'text/plain', metrics: async () => await Promise.resolve('up 1\n') }
  let scrapes = 0
  const metrics = {
    registry: async () => (scrapes++ === 0 ? await Promise.reject(new Error('EMFILE')) : registry),
  }
  const handler = async (): Promise<Response> => await Promise.resolve(new Response('the API'))
  const config = { SERVER_PORT: 0, METRICS_PORT: 0 }
  const { servers } = await listenAll({ config, handler, metrics, logger: log.logger } as unknown as Core)
  try {
    const scrape = async (path = '/metrics'): Promise<Response> => await fetch(new URL(path, servers[1]!.url))
    expect((await scrape()).status).toBe(503)
    expect(await log.line('the reason', ({ msg }) => msg === 'a scrape failed')).toMatchObject({
      err: { message: 'EMFILE' },
    })
    expect(await (await scrape()).text()).toBe('up 1\n')
    expect((await scrape('/tasks')).status).toBe(404)
  } finally {
    await Promise.all(servers.map((server) => server.close()))
  }
})

test('what is no HTTP is told of by a problem whose type is at PUBLIC_URL', async () => {
  const handler = async (): Promise<Response> => await Promise.resolve(new Response('the API'))
  const config = { SERVER_PORT: 0, PUBLIC_URL: 'https://pics.example' }
  const { api } = await listenAll({ config, handler } as unknown as Core)
  try {
    expect(await say(api.url, 'nonsense\r\n\r\n')).toContain('"https://pics.example/problems/invalid-request"')
  } finally {
    await api.close()
  }
})
