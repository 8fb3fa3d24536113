/** The event endpoint, as Knative and Google's services meet it. */
import { describe, expect, test } from 'vitest'
import { NOT_RUN_HEADER } from '#shared/verdict.ts'
import { answering, QUEUE_CONFIG, testCloud, TIMER_CONFIG } from '../../../test/clouds/cloud.ts'
import { readKnativeEvent } from '../knative/events.ts'
import { openCloudFunction } from './open.ts'
import { pushEndpoint } from './pushed.ts'

const EVENT = {
  'ce-specversion': '1.0',
  'ce-id': 'a.1',
  'ce-type': 'task.created',
  'ce-source': '/revela',
  'ce-subject': 'it',
  'content-type': 'application/json',
}

async function serve(answer: (request: Request) => Response | Promise<Response>, kind: 'queue' | 'timer' = 'queue') {
  const config = kind === 'queue' ? QUEUE_CONFIG : TIMER_CONFIG
  const cloud = testCloud([{ name: 'the-function', config, app: answering(answer) }])
  const opened = await openCloudFunction(cloud.options)
  const endpoint = pushEndpoint(opened, readKnativeEvent)!
  const post = async (headers: Record<string, string> = EVENT, body = '{}'): Promise<Response> =>
    await endpoint.answer(new Request('http://localhost/', { method: 'POST', headers, body }), Infinity)
  return { ...cloud, endpoint, post, [Symbol.asyncDispose]: async () => await opened.close() }
}

const status = (code: number, headers: Record<string, string> = {}) =>
  new Response(code === 204 ? null : 'x', { status: code, headers })

describe('an event', () => {
  test('that its function takes is acknowledged', async () => {
    await using served = await serve(() => status(200))
    expect((await served.post()).status).toBe(204)
    expect(served.queue.buried).toEqual([])
  })

  test('that its function has die is buried, and then acknowledged', async () => {
    await using served = await serve(() => status(409))
    expect((await served.post()).status).toBe(204)
    expect(served.queue.buried).toMatchObject([
      { message: { id: 'a.1', data: {} }, reason: 'status 409', lastStatus: 409 },
    ])
  })

  test('that cannot be buried comes again', async () => {
    await using served = await serve(() => status(409))
    served.queue.fail = () => {
      throw new Error('away')
    }
    expect((await served.post()).status).toBe(503)
  })

  test('that failed comes again, at the time that the function asks for', async () => {
    await using served = await serve(() => status(503, { 'Retry-After': '90' }))
    const response = await served.post()
    expect([response.status, response.headers.get('retry-after'), response.body]).toEqual([503, '90', null])
  })

  test('has headers of the runtime in no answer', async () => {
    await using served = await serve(() => status(503, { [NOT_RUN_HEADER]: '1' }))
    expect([...(await served.post()).headers.keys()]).toEqual(['retry-after'])
  })

  test.each([
    ['nothing', {}, ''],
    ['no event', { 'content-type': 'application/json' }, '{"message":{}}'],
    ['an event of another queue', { ...EVENT, 'ce-queue': 'image-processing-dead' }, '{}'],
  ])('%s is refused with a status that no platform takes for success, and logged', async (_what, headers, body) => {
    let runs = 0
    await using served = await serve(() => {
      runs++
      return status(200)
    })
    const response = await served.post(headers, body)
    expect(response.status).toBe(400)
    expect(runs).toBe(0)
    expect(served.queue.buried).toEqual([])
    await served.log.line('that', ({ msg }) => msg === 'event refused')
  })

  test('comes to the root alone, by POST', async () => {
    await using served = await serve(() => status(200))
    const takes = (method: string, path: string): boolean =>
      served.endpoint.takes(new Request(`http://localhost${path}`, { method }), path)
    expect([takes('POST', '/'), takes('GET', '/'), takes('POST', '/tasks')]).toEqual([true, false, false])
  })
})

describe('a tick', () => {
  const ping = (time: string) => ({ ...EVENT, 'ce-type': 'dev.knative.sources.ping', 'ce-time': time })

  test('runs once, however often it is sent', async () => {
    const slots: (string | null)[] = []
    await using served = await serve(({ headers }) => {
      slots.push(headers.get('ce-time'))
      return status(204)
    }, 'timer')
    for (const time of ['2026-01-01T00:00:00.004Z', '2026-01-01T00:00:00.004Z', '2026-01-01T00:00:59.998Z']) {
      expect((await served.post(ping(time))).status).toBe(204)
    }
    expect(slots).toEqual(['2026-01-01T00:00:00.000Z', '2026-01-01T00:01:00.000Z'])
  })

  test('that fails is an error, and no second run when it is sent again', async () => {
    let runs = 0
    await using served = await serve(() => {
      runs++
      return status(500)
    }, 'timer')
    expect((await served.post(ping('2026-01-01T00:00:00Z'))).status).toBe(500)
    expect((await served.post(ping('2026-01-01T00:00:00Z'))).status).toBe(204)
    expect(runs).toBe(1)
  })

  test('without a time that can be read is refused', async () => {
    await using served = await serve(() => status(204), 'timer')
    expect((await served.post(ping('noon'))).status).toBe(400)
  })

  test('is nothing else: a timer takes no messages', async () => {
    await using served = await serve(() => status(204), 'timer')
    expect((await served.post(EVENT)).status).toBe(400)
  })
})

test('http functions alone take no events', async () => {
  const { options } = testCloud([
    {
      name: 'f',
      config: { trigger: { type: 'http', routes: ['POST /'] }, timeoutMs: 1_000 },
      app: answering(() => status(200)),
    },
  ])
  const cloud = await openCloudFunction(options)
  expect(pushEndpoint(cloud, readKnativeEvent)).toBeNull()
  await cloud.close()
})
