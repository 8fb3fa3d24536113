import { describe, expect, test } from 'vitest'
import type { PushedRequest } from '../cloud/pushed.ts'
import { readGoogleEvent } from './push.ts'

const ATTRIBUTES = {
  'ce-specversion': '1.0',
  'ce-id': 'a.1',
  'ce-type': 'task.created',
  'ce-source': '/revela',
  'ce-subject': 'the task, ü 100%',
  'ce-time': '2026-01-01T00:00:00.000Z',
  'ce-queue': 'image-processing',
  'ce-traceparent': '00-trace',
  'Content-Type': 'application/json',
}
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const PUSH = {
  message: { data: base64('{"a":1}'), attributes: ATTRIBUTES, messageId: 'm-1', publishTime: '2026-01-01T00:00:01Z' },
  subscription: 'projects/p/subscriptions/s',
}

function read(body: unknown, headers: Record<string, string> = {}, request: Partial<PushedRequest> = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return readGoogleEvent({
    headers: new Headers({ 'content-type': 'application/json', ...headers }),
    body: Buffer.from(text),
    queue: 'image-processing',
    hasTimer: false,
    ...request,
  })
}

const EVENTARC = {
  'ce-specversion': '1.0',
  'ce-id': 'm-1',
  'ce-type': 'google.cloud.pubsub.topic.v1.messagePublished',
  'ce-source': '//pubsub.googleapis.com/projects/p/topics/image-processing',
}

const MESSAGE = {
  queue: 'image-processing',
  id: 'a.1',
  type: 'task.created',
  subject: 'the task, ü 100%',
  time: '2026-01-01T00:00:00.000Z',
  data: { a: 1 },
  traceparent: '00-trace',
}

describe('a message of Pub/Sub', () => {
  test.each([
    ['pushed', read(PUSH), null],
    ['pushed by a subscription with a dead-letter topic', read({ ...PUSH, deliveryAttempt: 3 }), 3],
    ['brought by Eventarc', read(PUSH, EVENTARC), null],
    [
      'brought by Eventarc in structured mode',
      read(
        {
          specversion: '1.0',
          id: 'm-1',
          type: EVENTARC['ce-type'],
          source: '/s',
          data: { ...PUSH, deliveryAttempt: 2 },
        },
        { 'content-type': 'application/cloudevents+json' },
      ),
      2,
    ],
    [
      'with names in another case',
      read({ ...PUSH, message: { ...PUSH.message, attributes: upper(ATTRIBUTES) } }),
      null,
    ],
    [
      'that holds a structured event',
      read({
        ...PUSH,
        message: {
          messageId: 'm-1',
          attributes: { 'Content-Type': 'application/cloudevents+json' },
          data: base64(
            JSON.stringify({
              specversion: '1.0',
              source: '/revela',
              id: MESSAGE.id,
              type: MESSAGE.type,
              subject: MESSAGE.subject,
              time: MESSAGE.time,
              traceparent: '00-trace',
              data: MESSAGE.data,
            }),
          ),
        },
      }),
      null,
    ],
  ])('%s', async (_how, pushed, received) => {
    expect(pushed).toMatchObject({ kind: 'message', message: MESSAGE, received })
    const request = pushed.kind === 'message' && pushed.requestOf!(MESSAGE, 1, 't')
    if (!request) throw new Error('no message')
    expect(request.headers.get('ce-subject')).toBe('the%20task,%20%C3%BC%20100%25')
    expect(await request.json()).toEqual({ a: 1 })
  })

  test.each([
    ['of somebody else', { ...PUSH, message: { ...PUSH.message, attributes: { by: 'another' } } }, '{"a":1}'],
    ['without anything', { subscription: 's', message: { messageId: 'm-1' } }, ''],
    [
      'that says it is an event',
      {
        ...PUSH,
        message: {
          messageId: 'm-1',
          data: base64('{'),
          attributes: { 'Content-Type': 'application/cloudevents+json' },
        },
      },
      '{',
    ],
    [
      'with a name that no header has',
      { ...PUSH, message: { ...PUSH.message, attributes: { ...ATTRIBUTES, 'ce-größe 1': 'x' } } },
      '{"a":1}',
    ],
    [
      'of a type that no header has',
      { ...PUSH, message: { ...PUSH.message, attributes: { ...ATTRIBUTES, 'Content-Type': 'größe/東京\n' } } },
      '{"a":1}',
    ],
    ['of bytes', { ...PUSH, message: { messageId: 'm-1', data: '/9j/' } }, '/9j/'],
  ])('%s is unreadable, and not lost', (_what, body, text) => {
    expect(read(body)).toEqual({ kind: 'unreadable', id: 'm-1', text })
  })

  test.each([
    '',
    '{',
    '[]',
    '{}',
    '{"message":{}}',
    '{"message":{"messageId":"m"}}',
    '{"message":{"messageId":"m","data":7},"subscription":"s"}',
  ])('a body that is no push is refused: %s', (body) => {
    for (const headers of [{}, EVENTARC] as Record<string, string>[])
      expect(() => read(body, headers)).toThrow(expect.objectContaining({ code: 'invalid-request' }))
  })
})

function upper(attributes: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name.toUpperCase(), value]))
}

describe('what else comes', () => {
  test('another event is the function’s own, as it is', () => {
    const pushed = read('{"bucket":"b"}', { ...EVENTARC, 'ce-type': 'google.cloud.storage.object.v1.finalized' })
    expect(pushed).toMatchObject({
      kind: 'message',
      message: { queue: 'image-processing', subject: '', data: { bucket: 'b' } },
    })
  })

  test('a tick of Cloud Scheduler has its instant, the same when it is tried again', () => {
    const headers = { 'x-cloudscheduler': 'true', 'x-cloudscheduler-scheduletime': '2026-01-01T00:00:00Z' }
    for (let i = 0; i < 2; i++) {
      expect(read('', headers, { hasTimer: true, queue: null })).toEqual({ kind: 'tick', at: Date.UTC(2026, 0, 1) })
    }
    expect(() => read('', headers)).toThrow(expect.objectContaining({ code: 'invalid-request' }))
  })

  test('where several queues are served an event must name its own', () => {
    const { 'ce-queue': _, ...unnamed } = ATTRIBUTES
    const body = { ...PUSH, message: { ...PUSH.message, attributes: unnamed } }
    expect(read(body)).toMatchObject({ message: { queue: 'image-processing' } })
    expect(() => read(body, {}, { queue: null })).toThrow(expect.objectContaining({ code: 'invalid-request' }))
  })
})
