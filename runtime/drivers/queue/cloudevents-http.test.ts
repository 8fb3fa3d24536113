import { HTTP, type CloudEvent } from 'cloudevents'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DeadLetter } from '#shared/consumer.ts'
import { taskCreated, variantWanted } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { type Answer, type Asked, type LoopbackServer, loopbackServer } from '../../../test/clouds/http-server.ts'
import { cloudEventsQueue } from './cloudevents-http.ts'

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe('CloudEvents over HTTP', () => {
  let server: LoopbackServer
  let asked: Asked[]
  let answers: Answer[]
  beforeEach(async () => {
    asked = []
    answers = []
    server = await loopbackServer((request) => {
      asked.push(request)
      return answers.shift() ?? { status: 202 }
    })
  })
  afterEach(async () => await server[Symbol.asyncDispose]())
  // As the SDK of CloudEvents reads it, which is not ours.
  const events = () =>
    asked.map(({ headers, body }) => HTTP.toEvent({ headers, body: body.toString() }) as CloudEvent<unknown>)

  test('a message goes to K_SINK as a binary-mode event that says its queue', async () => {
    const message = variantWanted(newTaskId(), { variant: '800x800', format: 'webp' }, TRACE)
    await cloudEventsQueue({ sink: `${server.url}/broker` }).send(message)
    expect(asked).toMatchObject([{ method: 'POST', path: '/broker', headers: { 'content-type': 'application/json' } }])
    expect(events()[0]!.toJSON()).toMatchObject({
      specversion: '1.0',
      id: message.id,
      type: 'variant.wanted',
      source: '/revela',
      subject: message.subject,
      time: message.time,
      queue: 'image-processing',
      traceparent: TRACE,
      data: { variant: '800x800', format: 'webp' },
    })
  })

  test('a queue with a sink of its own has its messages there, and its dead letters on theirs', async () => {
    const sinks = { 'image-processing': `${server.url}/images`, 'image-processing-dead': `${server.url}/dead` }
    const queue = cloudEventsQueue({ sink: `${server.url}/broker`, sinks, extensions: { cluster: 'north' } })
    const message = taskCreated(newTaskId())
    const letter: DeadLetter = {
      message,
      reason: 'köln 100% "dead"',
      attempts: 2,
      lastStatus: null,
      diedAt: message.time,
    }
    await queue.send(message)
    await queue.send({ ...message, queue: 'task-callbacks' })
    await queue.bury!(letter)
    expect(asked.map(({ path }) => path)).toEqual(['/images', '/broker', '/dead'])
    expect(events()[2]!.toJSON()).toMatchObject({
      id: message.id,
      queue: 'image-processing-dead',
      deadattempts: '2',
      cluster: 'north',
    })
    expect(asked[2]!.headers['ce-deadreason']).toBe('k%C3%B6ln%20100%25%20%22dead%22')
  })

  test('where a queue has no sink for its dead there is no burying: the platform does it', () => {
    const sinks = { 'image-processing': server.url, 'task-callbacks-dead': server.url }
    const buries = ['image-processing', 'task-callbacks'].map((queue) => cloudEventsQueue({ sinks }).hasGrave!(queue))
    expect(buries).toEqual([false, true])
    expect(cloudEventsQueue({ sinks, sink: server.url }).hasGrave!('image-processing')).toBe(true)
  })

  test('without a sink it is an outage, and the cause says what to set', async () => {
    const sent = cloudEventsQueue({ sinks: { other: server.url } }).send(taskCreated(newTaskId()))
    await expect(sent).rejects.toMatchObject({
      code: 'unavailable',
      cause: { message: expect.stringContaining('K_SINK') },
    })
  })

  test.each([307, 400, 404, 503])('a %i is an outage', async (status) => {
    answers = [{ status, headers: { location: `${server.url}/elsewhere` } }, { status }]
    const sent = cloudEventsQueue({ sink: server.url }).send(taskCreated(newTaskId()))
    await expect(sent).rejects.toMatchObject({ code: 'unavailable' })
    expect(asked.every(({ path }) => path === '/')).toBe(true)
  })
})
