/**
 * The handler as Lambda calls it, over memory stores. Longer than 250 lines, since every kind of event meets the same
 * bundle.
 */
import { randomBytes } from 'node:crypto'
import type { APIGatewayProxyStructuredResultV2, Context, SQSBatchResponse } from 'aws-lambda'
import { describe, expect, it, test, vi } from 'vitest'
import { unavailable } from '#shared/errors.ts'
import type { FunctionConfig } from '#shared/function.ts'
import { type App, createApp } from '#shared/http.ts'
import { readEvent, taskCreated } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { answering, QUEUE, QUEUE_CONFIG, testCloud, TIMER_CONFIG } from '../../../test/clouds/cloud.ts'
import {
  contextOf,
  httpEvent,
  type HttpEventOptions,
  scheduledEvent,
  sqsRecord,
} from '../../../test/clouds/lambda-events.ts'
import { testTask } from '../../../test/tasks.ts'
import type { BundledFunction } from '../cloud/functions.ts'
import { awsLambda } from './handler.ts'
import { ANSWER_BYTES_MAX } from './limits.ts'

const context = contextOf() as Context

interface Seen {
  method: string
  url: string
  headers: Record<string, string>
  body: string
}

const echo = createApp()
echo.all('/echo/:id', async (c) => {
  const { method, url, headers } = c.req.raw
  const body = Buffer.from(await c.req.arrayBuffer()).toString('base64')
  return c.json({ method, url, headers: Object.fromEntries(headers), body } satisfies Seen)
})
const ECHO_CONFIG: FunctionConfig = {
  trigger: { type: 'http', routes: ['GET /echo/{id}', 'POST /echo/{id}', 'DELETE /echo/{id}'] },
  timeoutMs: 5_000,
}

/** Answers `GET /it` as told. */
function serving(answer: () => Response | Promise<Response>): BundledFunction {
  const app = createApp()
  app.get('/it', answer)
  return { name: 'it', config: { trigger: { type: 'http', routes: ['GET /it'] }, timeoutMs: 5_000 }, app }
}

async function call(functions: BundledFunction[], options: HttpEventOptions, env: Record<string, string> = {}) {
  const { handler } = await awsLambda(testCloud(functions, { AUTH: 'platform', ...env }).options)
  return (await handler(httpEvent(options), context)) as APIGatewayProxyStructuredResultV2 & { body: string }
}

async function seen(options: HttpEventOptions): Promise<Seen> {
  const result = await call([{ name: 'echo', config: ECHO_CONFIG, app: echo }], { path: '/echo/1', ...options })
  expect(result).toMatchObject({ statusCode: 200, isBase64Encoded: false })
  return JSON.parse(result.body) as Seen
}

describe('a request', () => {
  it('has its method, path and query', async () => {
    expect(await seen({ method: 'DELETE', path: '/echo/ä%2F?', query: 'a=1&b=%20&a=2' })).toMatchObject({
      method: 'DELETE',
      url: 'https://abc123.execute-api.eu-central-1.amazonaws.com/echo/%C3%A4%2F??a=1&b=%20&a=2',
    })
  })

  it('has its headers and all its cookies', async () => {
    const { headers } = await seen({ headers: { 'x-a': '1, 2' }, cookies: ['a=1', 'b=2; 3'] })
    expect(headers).toMatchObject({ 'x-a': '1, 2', cookie: 'a=1; b=2; 3' })
  })

  it('has its body, as bytes or as text', async () => {
    const bytes = randomBytes(3_000).toString('base64')
    expect((await seen({ method: 'POST', body: bytes, isBase64Encoded: true })).body).toBe(bytes)
    const { body } = await seen({ method: 'POST', body: '{"ä": 1}' })
    expect(Buffer.from(body, 'base64').toString()).toBe('{"ä": 1}')
    expect((await seen({ method: 'POST' })).body).toBe('')
  })

  it('goes by the name that the client used', async () => {
    const { url } = await seen({ headers: { host: 'api.example' } })
    expect(url).toBe('https://api.example/echo/1')
  })

  test.each([
    ['prod', '/prod/echo/1', 200],
    ['prod', '/echo/1', 200],
    ['prod', '/product/echo/1', 404],
    ['$default', '/prod/echo/1', 404],
  ])('in the stage %s, %s is %i', async (stage, path, status) => {
    const functions = [{ name: 'echo', config: ECHO_CONFIG, app: echo }]
    expect((await call(functions, { stage, path })).statusCode).toBe(status)
  })

  it('of a method that no request may have is refused as any other', async () => {
    const result = await call([{ name: 'echo', config: ECHO_CONFIG, app: echo }], { method: 'TRACE', path: '/echo/1' })
    expect(result).toMatchObject({ statusCode: 405, headers: { allow: 'GET, HEAD, POST, DELETE, OPTIONS' } })
  })

  test.each([
    ['a name that is none', { headers: { host: 'a b' } }],
    ['a header that is none', { headers: { 'x y': '1' } }],
    ['a method that is none', { method: 'G T' }],
  ])('with %s is a 400', async (_what, options) => {
    const result = await call([], { path: '/it', ...options }, { PUBLIC_URL: 'https://pics.example' })
    expect(result.statusCode).toBe(400)
    const type = 'https://pics.example/problems/invalid-request'
    expect(JSON.parse(result.body)).toMatchObject({ type, code: 'invalid-request', instance: '/it' })
  })
})

describe('an answer', () => {
  it('is bytes in base64, and text as text', async () => {
    const bytes = randomBytes(100_000)
    const picture = await call([serving(() => new Response(bytes, { headers: { 'content-type': 'image/jpeg' } }))], {
      path: '/it',
    })
    expect(picture).toMatchObject({ isBase64Encoded: true, headers: { 'content-type': 'image/jpeg' } })
    expect(Buffer.from(picture.body, 'base64').equals(bytes)).toBe(true)
    const text = await call([serving(() => new Response('grün', { headers: { 'content-type': 'text/plain' } }))], {
      path: '/it',
    })
    expect(text).toMatchObject({ body: 'grün', isBase64Encoded: false })
    const packed = { 'content-type': 'text/plain', 'content-encoding': 'gzip' }
    const zipped = await call([serving(() => new Response(bytes, { headers: packed }))], { path: '/it' })
    expect(Buffer.from(zipped.body, 'base64').equals(bytes)).toBe(true)
  })

  it('has each cookie, apart from the headers, and none of the connection', async () => {
    const headers = new Headers({ connection: 'close', 'x-a': '1' })
    headers.append('set-cookie', 'a=1, 2')
    headers.append('set-cookie', 'b=2')
    const result = await call([serving(() => new Response(null, { status: 204, headers }))], { path: '/it' })
    expect(result).toMatchObject({ statusCode: 204, cookies: ['a=1, 2', 'b=2'], headers: { 'x-a': '1' } })
    expect(Object.keys(result.headers!)).not.toEqual(expect.arrayContaining(['set-cookie']))
    expect(Object.keys(result.headers!)).not.toEqual(expect.arrayContaining(['connection']))
    expect(result.body).toBeUndefined()
  })

  it('that breaks off before it is whole is no answer, and says so', async () => {
    for (const [error, status, code] of [
      [unavailable('blob store'), 503, 'unavailable'],
      [new Error('cut'), 503, 'unavailable'],
    ] as const) {
      const body = new ReadableStream({
        pull: (controller) => controller.error(error),
      })
      const result = await call([serving(() => new Response(body))], { path: '/it' })
      expect(result).toMatchObject({ statusCode: status, headers: { 'retry-after': expect.any(String) } })
      expect(JSON.parse(result.body)).toMatchObject({ code, instance: '/it' })
    }
  })

  it('that is larger than Lambda takes back is a problem that says so, and is not read to its end', async () => {
    const cancelled = vi.fn<() => void>()
    let made = 0
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          made += 100_000
          controller.enqueue(new Uint8Array(100_000))
        },
        cancel: cancelled,
      })
    const result = await call([serving(() => new Response(endless()))], { path: '/it' })
    expect(result.statusCode).toBe(502)
    expect(JSON.parse(result.body)).toMatchObject({ code: 'too-large' })
    expect(cancelled).toHaveBeenCalledTimes(1)
    expect(made).toBeLessThan(ANSWER_BYTES_MAX + 1_000_000)
    const most = new Uint8Array(ANSWER_BYTES_MAX)
    const whole = await call([serving(() => new Response(most))], { path: '/it' })
    expect(JSON.stringify(whole).length).toBeLessThan(6 * 1024 * 1024)
  })
})

describe('the time of a request', () => {
  async function deadlineOf(domainName: string, remainingMs: number): Promise<number> {
    const app = createApp()
    app.get('/it', (c) => c.json({ ms: c.env.invocation.deadline - Date.now() }))
    const config: FunctionConfig = { trigger: { type: 'http', routes: ['GET /it'] }, timeoutMs: 600_000 }
    const { handler } = await awsLambda(testCloud([{ name: 'it', config, app }]).options)
    const event = httpEvent({ path: '/it', domainName })
    const result = (await handler(event, contextOf(remainingMs) as Context)) as { body: string }
    return Math.round((JSON.parse(result.body) as { ms: number }).ms / 100) / 10
  }

  it('is what Lambda leaves, and behind API Gateway no more than that waits', async () => {
    expect(await deadlineOf('abc.execute-api.eu-central-1.amazonaws.com', 10_000)).toBeCloseTo(9.5, 0)
    expect(await deadlineOf('abc.execute-api.eu-central-1.amazonaws.com', 120_000)).toBeCloseTo(28.5, 0)
    expect(await deadlineOf('abc.lambda-url.eu-central-1.on.aws', 120_000)).toBeCloseTo(119.5, 0)
  })
})

describe('a batch', () => {
  async function batch(app: App, records: ReturnType<typeof sqsRecord>[], change: Partial<FunctionConfig> = {}) {
    const config = { ...QUEUE_CONFIG, ...change }
    const cloud = testCloud([{ name: 'worker', config, app }], { AUTH: 'platform', QUEUE_PREFIX: 'revela-' })
    const putOff = vi.fn<(queue: string, receipt: string, afterMs: number) => Promise<void>>(async () => {})
    Object.assign(cloud.queue, { putOff })
    const { handler } = await awsLambda(cloud.options)
    const run = async (remainingMs = 30_000) =>
      (await handler({ Records: records }, contextOf(remainingMs) as Context)) as SQSBatchResponse
    return { ...cloud, putOff, run }
  }
  const record = (id: string, options = {}, message = taskCreated(newTaskId())) =>
    sqsRecord(message, { id, queue: `revela-${QUEUE}`, ...options })
  const byStatus = (statuses: Record<string, number>, headers: Record<string, string> = {}) =>
    answering((request) => new Response(null, { status: statuses[request.headers.get('ce-subject')!] ?? 200, headers }))

  it('names what failed, and nothing else', async () => {
    const messages = Object.fromEntries(['ok', 'retry', 'dead', 'busy'].map((id) => [id, taskCreated(newTaskId())]))
    const statusOf = {
      [messages['retry']!.subject]: 500,
      [messages['dead']!.subject]: 422,
      [messages['busy']!.subject]: 429,
    }
    const records = Object.entries(messages).map(([id, message]) => record(id, {}, message))
    const { run, queue } = await batch(byStatus(statusOf), records)
    const { batchItemFailures } = await run()
    expect(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier).sort()).toEqual(['busy', 'retry'])
    expect(queue.buried).toMatchObject([{ message: messages['dead'], reason: 'status 422' }])
  })

  it('has each message judged alone, whatever is in it', async () => {
    const [odd, broken, good] = ['größe\n1', 'broken', 'good'].map((id) =>
      Object.assign(taskCreated(newTaskId()), { id }),
    )
    const seenIds: string[] = []
    const app = createApp()
    app.post('/', async (c) => {
      const { id } = await readEvent(c.req.raw)
      seenIds.push(id)
      const response = new Response('x')
      // What nothing foresees.
      const get = (): never => {
        throw new Error('odd')
      }
      return id === 'broken' ? Object.defineProperty(response, 'status', { get }) : response
    })
    const { run, putOff, log } = await batch(
      app,
      [odd!, broken!, good!].map((message, at) => record(`m-${at}`, {}, message)),
    )
    expect(await run()).toEqual({ batchItemFailures: [{ itemIdentifier: 'm-1' }] })
    expect(seenIds.toSorted()).toEqual(['broken', 'good', 'größe\n1'])
    expect(putOff).not.toHaveBeenCalled()
    await log.line('its failure', ({ msg, message }) => msg === 'message not judged' && message === 'm-1')
  })

  it('puts what failed off until its function asked for it', async () => {
    const message = taskCreated(newTaskId())
    const app = byStatus({ [message.subject]: 503 }, { 'retry-after': '90' })
    const { run, putOff } = await batch(app, [record('m', {}, message)])
    await run()
    expect(putOff.mock.calls).toEqual([[QUEUE, 'receipt-of-m', 90_000]])
  })

  it('has failed though it could not be put off', async () => {
    const message = taskCreated(newTaskId())
    const { run, putOff, log } = await batch(byStatus({ [message.subject]: 503 }), [record('m', {}, message)])
    putOff.mockRejectedValue(new Error('away'))
    expect(await run()).toEqual({ batchItemFailures: [{ itemIdentifier: 'm' }] })
    await log.line('not put off', ({ msg }) => msg === 'message not put off')
  })

  it('acknowledges no dead message that is not buried', async () => {
    const message = taskCreated(newTaskId())
    const { run, queue } = await batch(byStatus({ [message.subject]: 422 }), [record('m', {}, message)])
    queue.fail = () => {
      throw new Error('away')
    }
    expect(await run()).toEqual({ batchItemFailures: [{ itemIdentifier: 'm' }] })
    delete queue.bury
    expect(await run()).toEqual({ batchItemFailures: [{ itemIdentifier: 'm' }] })
  })

  it('buries what is no message', async () => {
    const { run, queue } = await batch(byStatus({}), [sqsRecord('{"no": "event"', { queue: `revela-${QUEUE}` })])
    expect(await run()).toEqual({ batchItemFailures: [] })
    expect(queue.buried).toMatchObject([{ message: { id: 'm-1', data: '{"no": "event"' } }])
  })

  it('tells the attempt by what both SQS and the document counted', async () => {
    const attempts: (string | null)[] = []
    const app = answering((request) => {
      attempts.push(request.headers.get('ce-attempt'))
      return new Response(null, { status: 500 })
    })
    const task = testTask()
    const own = record('m', { received: 9 }, taskCreated(task.id))
    const { run, tasks, queue } = await batch(app, [own])
    await tasks.create(task, taskCreated(task.id))
    // Throttled eight times: never begun.
    await run()
    const claim = { attempt: 1, nextCheckAt: Date.now() }
    for (let begun = 0; begun < 2; begun++) await tasks.claim(task.id, claim)
    await run()
    expect(attempts).toEqual(['1', '3'])
    // maxAttempts is 2: that was the delivery for settling.
    expect(queue.buried).toMatchObject([{ attempts: 3 }])
  })

  it('of an isolated function is one message, and the others come again at once', async () => {
    const seenIds: string[] = []
    const app = answering((request) => {
      seenIds.push(request.headers.get('ce-id')!)
      return new Response()
    })
    const records = ['a', 'b', 'c'].map((id) => record(id))
    const { run, putOff, log } = await batch(app, records, { isolation: 'process' })
    expect(await run()).toEqual({ batchItemFailures: [{ itemIdentifier: 'b' }, { itemIdentifier: 'c' }] })
    expect(seenIds).toHaveLength(1)
    expect(putOff.mock.calls.map(([, receipt, ms]) => [receipt, ms])).toEqual([
      ['receipt-of-b', 0],
      ['receipt-of-c', 0],
    ])
    await log.line('BatchSize', ({ msg }) => msg === 'an isolated function needs BatchSize 1')
  })

  it('runs as many at once as its function takes, and begins none that cannot end in time', async () => {
    let running = 0
    let most = 0
    const gate = Promise.withResolvers<void>()
    const app = answering(async () => {
      most = Math.max(most, ++running)
      if (running === 2) gate.resolve()
      await gate.promise
      running--
      return new Response()
    })
    const records = ['a', 'b', 'c', 'd', 'e'].map((id) => record(id))
    const { run } = await batch(app, records)
    expect(await run()).toEqual({ batchItemFailures: [] })
    expect(most).toBe(2)
    // Of 5.4 s the function's own 5 s and the margin are more than is left for the third.
    const { batchItemFailures } = await run(5_400)
    expect(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(['c', 'd', 'e'])
  })

  it('of a queue that no function here takes is an error', async () => {
    const { run } = await batch(byStatus({}), [sqsRecord(taskCreated(newTaskId()), { queue: QUEUE })])
    await expect(run()).rejects.toThrow(`No function of this bundle takes messages of ${QUEUE}`)
  })
})

describe('a schedule', () => {
  const slots: string[] = []
  const sweep = (name: string, status = 200): BundledFunction => ({
    name,
    config: TIMER_CONFIG,
    app: answering((request) => {
      slots.push(`${name} ${request.headers.get('ce-time')}`)
      return new Response(null, { status })
    }),
  })

  it('runs its timer at the instant that it was set for, once', async () => {
    slots.length = 0
    const { handler } = await awsLambda(testCloud([sweep('sweep-tasks')]).options)
    await handler(scheduledEvent('2026-03-12T19:03:00Z', 'any'), context)
    await handler(scheduledEvent('2026-03-12T19:03:00Z', 'any'), context)
    await handler({ ...scheduledEvent('2026-03-12T19:04:00Z'), source: 'aws.scheduler' }, context)
    expect(slots).toEqual(['sweep-tasks 2026-03-12T19:03:00.000Z', 'sweep-tasks 2026-03-12T19:04:00.000Z'])
  })

  it('finds its timer by the name of its rule', async () => {
    slots.length = 0
    const { handler } = await awsLambda(testCloud([sweep('a'), sweep('sweep-tasks')]).options)
    await handler(scheduledEvent('2026-03-12T19:03:00Z'), context)
    expect(slots).toEqual(['sweep-tasks 2026-03-12T19:03:00.000Z'])
    await expect(handler(scheduledEvent('2026-03-12T19:03:00Z', 'other'), context)).rejects.toThrow('several')
  })

  it('that fails is an error, and so is one without a time', async () => {
    const { handler } = await awsLambda(testCloud([sweep('sweep-tasks', 500)]).options)
    await expect(handler(scheduledEvent('2026-03-12T19:03:00Z'), context)).rejects.toThrow('sweep-tasks failed')
    await expect(handler(scheduledEvent('soon'), context)).rejects.toThrow('soon')
  })
})

test.each([
  ['nothing', undefined],
  ['null', null],
  ['text', 'hello'],
  ['an empty object', {}],
  ['a direct call', { action: 'run' }],
  ['payload format 1.0', { version: '1.0', httpMethod: 'GET', path: '/', requestContext: {} }],
  ['an empty batch', { Records: [] }],
  ['records of S3', { Records: [{ eventSource: 'aws:s3', s3: {} }] }],
  ['records of both', { Records: [sqsRecord('x'), { eventSource: 'aws:s3' }] }],
  ['an event of another kind', { ...scheduledEvent('2026-03-12T19:03:00Z'), 'detail-type': 'Object Created' }],
  ['an event of another source', { ...scheduledEvent('2026-03-12T19:03:00Z'), source: 'com.example' }],
])('%s is an error, never an empty success', async (_what, event) => {
  const { handler } = await awsLambda(testCloud([]).options)
  await expect(handler(event, context)).rejects.toThrow('Expected an HTTP event of payload format 2.0')
})
