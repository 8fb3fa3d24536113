import { type CloudEvent, HTTP } from 'cloudevents'
import { describe, expect, it } from 'vitest'
import type { Bindings, Invocation } from '#shared/bindings.ts'
import { createApp } from '#shared/http.ts'
import { type Message, readEvent } from '#shared/message.ts'
import { UNMATCHED_HEADER } from '#shared/verdict.ts'
import { inlineFunction, type InvokedFunction } from '../../test/runtime/function.ts'
import { sqliteStores } from '../../test/runtime/sqlite.ts'
import { until } from '../../test/runtime/until.ts'
import { consumeQueues, eventRequest } from './queue.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const MESSAGE: Message = {
  queue: 'tests',
  id: '0199aaaa.created',
  type: 'task.created',
  subject: '0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee',
  time: '2026-01-02T03:04:05.678Z',
  data: { variant: 'ä', nested: { list: [1, null] } },
  traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
}

describe('a message as a request', () => {
  it('is a CloudEvent in binary mode, as the cloudevents package reads it', async () => {
    const request = eventRequest(MESSAGE, 3, MESSAGE.traceparent!)
    expect([request.method, new URL(request.url).pathname]).toEqual(['POST', '/'])
    const read = HTTP.toEvent({ headers: Object.fromEntries(request.headers), body: await request.text() })
    const event = read as CloudEvent
    expect(event.validate()).toBe(true)
    const { id, type, subject, data, specversion, source, datacontenttype, attempt, traceparent, time } = event
    expect({ id, type, subject, data }).toEqual({
      id: MESSAGE.id,
      type: MESSAGE.type,
      subject: MESSAGE.subject,
      data: MESSAGE.data,
    })
    expect({ specversion, source, datacontenttype, attempt, traceparent }).toEqual({
      specversion: '1.0',
      source: '/revela',
      datacontenttype: 'application/json',
      attempt: '3',
      traceparent: MESSAGE.traceparent,
    })
    expect(new Date(time!).toISOString()).toBe(MESSAGE.time)
  })

  it('is what functions read', async () => {
    const { id, type, subject, data } = MESSAGE
    expect(await readEvent(eventRequest(MESSAGE, 1, MESSAGE.traceparent!))).toEqual({ id, type, subject, data })
  })

  it('has in its headers whatever its attributes are, and functions read it as it was', async () => {
    const odd = { id: 'größe\n"1" %41', type: '東京\r\nx: y', subject: '\u0000 € 😀' }
    const request = eventRequest({ ...MESSAGE, ...odd }, 1, MESSAGE.traceparent!)
    expect(request.headers.get('ce-id')).toBe('gr%C3%B6%C3%9Fe%0A%221%22%20%2541')
    expect(await readEvent(request)).toEqual({ ...odd, data: MESSAGE.data })
  })

  it('without data is null, not an empty body', async () => {
    const request = eventRequest({ ...MESSAGE, data: undefined }, 1, MESSAGE.traceparent!)
    expect(await request.text()).toBe('null')
  })
})

type Answer = (env: Bindings, request: Request) => Response | Promise<Response>

/** A queue function on a real queue; `answers` are given in turn, the last one for ever. */
async function consumed(answers: Answer[], options: { timeoutMs?: number } = {}) {
  const stores = await sqliteStores()
  const { queue } = stores.open()
  const seen: { attempt: number; at: number; invocation: Invocation }[] = []
  const app = createApp()
  app.post('/', async (c) => {
    const { invocation } = c.env
    seen.push({ attempt: invocation.attempt, at: Date.now(), invocation })
    const answer = answers[Math.min(seen.length, answers.length) - 1]!
    return await answer(c.env, c.req.raw)
  })
  const fn: InvokedFunction = await inlineFunction(app, {
    trigger: 'queue',
    timeoutMs: options.timeoutMs ?? 10_000,
    concurrency: 1,
  })
  const { invoke, logger, metrics } = fn
  const consumers = consumeQueues({ functions: [fn.fn], bindings: { queue }, invoke, logger, metrics })
  return {
    fn,
    queue,
    seen,
    consumers,
    attempts: () => seen.map(({ attempt }) => attempt),
    stats: () => queue.stats('tests'),
    async [Symbol.asyncDispose]() {
      for (const consumer of consumers) await consumer.close()
      await fn[Symbol.asyncDispose]()
      await stores[Symbol.asyncDispose]()
    },
  }
}

/** A body whose container died before it was let go. */
const unwilling = (): ReadableStream => new ReadableStream({ cancel: () => Promise.reject(new Error('died')) })

const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(null, { status: code, headers })

async function isEmpty({ stats }: Awaited<ReturnType<typeof consumed>>): Promise<boolean> {
  const { waiting, active, delayed } = await stats()
  return waiting + active + delayed === 0
}

/** The lines of what died. */
async function told({ fn }: Awaited<ReturnType<typeof consumed>>) {
  const isDeath = ({ msg }: Record<string, unknown>): boolean => msg === 'message is dead'
  await fn.line('its death', isDeath)
  return fn.lines.filter(isDeath)
}

async function counted({ fn }: Awaited<ReturnType<typeof consumed>>): Promise<string[]> {
  const text = await (await fn.metrics.registry()).metrics()
  return [...text.matchAll(/^queue_verdicts_total\{queue="tests",(.*)$/gm)].map(([, verdict]) => verdict!)
}

describe('a queue function', () => {
  it('gets a message once when it answers 2xx, under the trace of who sent it, its task on every line', async () => {
    await using run = await consumed([
      (env) => {
        env.invocation.log.info('at work')
        return new Response(null, { status: 204 })
      },
    ])
    await run.queue.send(MESSAGE)
    await until('it is done', async () => run.seen.length === 1 && (await isEmpty(run)))
    expect(run.seen[0]!.invocation.traceparent).toMatch(new RegExp(`^00-${TRACE}-(?!b7ad6b7169203331)`))
    const lines = [
      await run.fn.line("the function's", ({ msg }) => msg === 'at work'),
      await run.fn.line('its own', ({ msg }) => msg === 'invocation'),
    ]
    for (const line of lines) expect(line).toMatchObject({ trace: TRACE, task: MESSAGE.subject, attempt: 1 })
  })

  it('has said its verdict also where its body cannot be let go', async () => {
    await using run = await consumed([() => new Response(unwilling(), { status: 200 })])
    await run.queue.send(MESSAGE)
    await until('it is done', async () => run.seen.length > 0 && (await isEmpty(run)))
    expect(run.attempts()).toEqual([1])
    expect(await counted(run)).toEqual(['verdict="ack"} 1'])
  })

  it.each([
    ['answers 500', status(500)],
    ['answers 429', status(429)],
    ['throws', () => Promise.reject(new Error('no'))],
  ])('that %s gets it again, with the next attempt', async (_what, answer) => {
    await using run = await consumed([answer, status(200)])
    await run.queue.send(MESSAGE)
    await until('it is done', async () => run.seen.length === 2 && (await isEmpty(run)))
    expect(run.attempts()).toEqual([1, 2])
    expect(await (await run.fn.metrics.registry()).metrics()).toContain(
      'queue_verdicts_total{queue="tests",verdict="retry"} 1',
    )
  })

  it('that never answers gets it again after its timeout', async () => {
    await using run = await consumed([() => new Promise<never>(() => undefined), status(200)], { timeoutMs: 50 })
    await run.queue.send(MESSAGE)
    await until('it is done', async () => run.seen.length === 2 && (await isEmpty(run)))
    expect(run.attempts()).toEqual([1, 2])
  })

  it('gets it no earlier than its Retry-After says', async () => {
    await using run = await consumed([status(503, { 'Retry-After': '1' }), status(200)])
    await run.queue.send(MESSAGE)
    await until('it is done', async () => run.seen.length === 2 && (await isEmpty(run)))
    // The queue counts from the verdict, a moment after the function was called.
    expect(run.seen[1]!.at - run.seen[0]!.at).toBeGreaterThanOrEqual(1_000)
  })

  it('that answers another 4xx has it dead at once: a copy with the reason, a line in the log', async () => {
    await using run = await consumed([status(422)])
    await run.queue.send(MESSAGE)
    await until('it is dead', async () => (await run.stats()).dead === 1)
    expect(await isEmpty(run)).toBe(true)
    expect(await run.queue.deadLetters('tests', 10)).toMatchObject([
      { message: MESSAGE, reason: 'status 422', lastStatus: 422, attempts: 1 },
    ])
    expect(await told(run)).toMatchObject([{ task: MESSAGE.subject, attempt: 1, reason: 'status 422' }])
    expect(await counted(run)).toEqual(['verdict="dead"} 1'])
  })

  it('gets it once more than maxAttempts, to settle; then it is dead', async () => {
    await using run = await consumed([status(500)])
    await run.queue.send(MESSAGE)
    await until('it is dead', async () => (await run.stats()).dead === 1)
    expect(run.attempts()).toEqual([1, 2, 3])
    expect(await run.queue.deadLetters('tests', 10)).toMatchObject([{ lastStatus: 500, attempts: 3 }])
    expect(await told(run)).toMatchObject([{ level: 50, task: MESSAGE.subject, attempt: 3, reason: 'status 500' }])
    expect(await counted(run)).toEqual(['verdict="retry"} 2', 'verdict="dead"} 1'])
  })

  it('that settles with a 2xx leaves no dead letter', async () => {
    await using run = await consumed([status(500), status(500), status(200)])
    await run.queue.send(MESSAGE)
    await until('it is done', async () => run.seen.length === 3 && (await isEmpty(run)))
    expect((await run.stats()).dead).toBe(0)
  })

  it('whose slots are taken loses no attempt by it', async () => {
    await using run = await consumed([status(200)])
    run.fn.fn.running = 1
    await run.queue.send(MESSAGE)
    await until('it was refused once', async () =>
      (await (await run.fn.metrics.registry()).metrics()).includes('verdict="retry"} 1'),
    )
    expect(run.seen).toEqual([])
    run.fn.fn.running = 0
    await until('it is done', async () => run.seen.length === 1 && (await isEmpty(run)))
    expect(run.attempts()).toEqual([1])
  })

  it.each([
    ['a redirect', status(302)],
    ['the 404 of its router', status(404, { [UNMATCHED_HEADER]: '1' })],
  ])('that answers %s is reported as a fault of the code, and gets it again', async (_what, answer) => {
    await using run = await consumed([answer, status(200)])
    await run.queue.send(MESSAGE)
    await until('it is done', async () => run.seen.length === 2 && (await isEmpty(run)))
    const line = await run.fn.line('the fault', ({ msg }) => String(msg).startsWith('runtime error'))
    expect(line).toMatchObject({ level: 50, message: MESSAGE.id })
  })

  it('lets the body of its answer go', async () => {
    const cancelled = Promise.withResolvers<void>()
    await using run = await consumed([() => new Response(new ReadableStream({ cancel: () => cancelled.resolve() }))])
    await run.queue.send(MESSAGE)
    expect(await cancelled.promise).toBeUndefined()
  })
})
