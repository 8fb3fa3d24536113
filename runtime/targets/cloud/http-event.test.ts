import { CloudEvent, HTTP } from 'cloudevents'
import { describe, expect, test } from 'vitest'
import { type ArrivedEvent, bodyOf, EVENT_BYTES_MAX, eventOfHttp, messageOf, requestOf } from './http-event.ts'

const BINARY = {
  'ce-specversion': '1.0',
  'ce-id': 'a.1',
  'ce-source': '//storage/bucket',
  'ce-type': 'thing.made',
  'content-type': 'text/plain',
}
const arrived = (headers: Record<string, string>, body = ''): ArrivedEvent =>
  eventOfHttp(new Headers(headers), Buffer.from(body))
const structured = (event: unknown): ArrivedEvent =>
  arrived({ 'content-type': 'application/cloudevents+json; charset=utf-8' }, JSON.stringify(event))
const BARE = { specversion: '1.0', id: 'a.1', source: '/s', type: 't' }

describe('an event', () => {
  const event = new CloudEvent({
    id: 'a.1',
    source: '/s',
    type: 't',
    subject: 'Köln, 100 % "quoted"',
    time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    partition: 'north',
    data: { a: ['ü', 1, null] },
  })

  test.each([
    ['binary', HTTP.binary(event)],
    ['structured', HTTP.structured(event)],
  ])('in %s mode reaches its function with all that it came with', async (_mode, sent) => {
    // As a sender percent-encodes what no header may hold; the SDK leaves that to its user.
    const headers = Object.entries(sent.headers).map(([name, value]) => [
      name,
      name === 'ce-subject' ? 'K%C3%B6ln, 100 %25 %22quoted%22' : String(value),
    ])
    const { headers: given } = requestOf(
      arrived(Object.fromEntries(headers) as Record<string, string>, String(sent.body)),
    )(messageOf(arrived(BINARY), 'q'), 3, '00-a-b-01')
    expect(Object.fromEntries(given)).toEqual({
      'ce-specversion': '1.0',
      'ce-id': 'a.1',
      'ce-source': '/s',
      'ce-type': 't',
      'ce-subject': 'K%C3%B6ln,%20100%20%25%20%22quoted%22',
      'ce-time': '2026-01-01T00:00:00.000Z',
      'ce-partition': 'north',
      'ce-attempt': '3',
      'ce-traceparent': '00-a-b-01',
      traceparent: '00-a-b-01',
      'content-type': expect.stringMatching(/^application\/json/),
    })
  })

  test('keeps its bytes', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const binary = eventOfHttp(new Headers({ ...BINARY, 'content-type': 'application/octet-stream' }), bytes)
    const base64 = structured({
      ...BARE,
      datacontenttype: 'application/octet-stream',
      data_base64: bytes.toString('base64'),
    })
    for (const each of [binary, base64]) {
      const request = requestOf(each)(messageOf(each, 'q'), 1, 't')
      expect(Buffer.from(await request.arrayBuffer())).toEqual(bytes)
      expect(request.headers.get('content-type')).toBe('application/octet-stream')
    }
  })

  test.each([
    [{ ...BARE, data: { a: 1 } }, 'application/json', '{"a":1}'],
    [{ ...BARE, data: 'text' }, 'application/json', '"text"'],
    [{ ...BARE, datacontenttype: 'text/plain', data: 'text' }, 'text/plain', 'text'],
    [
      { ...BARE, datacontenttype: 'application/vnd.a+json; charset=utf-8', data: 'x' },
      'application/vnd.a+json; charset=utf-8',
      '"x"',
    ],
    [{ ...BARE, data: null }, 'application/json', 'null'],
    [BARE, 'application/json', ''],
  ])('structured: %j has data of its type', (event, contentType, data) => {
    const { contentType: type, data: bytes } = structured(event)
    expect([type, bytes.toString()]).toEqual([contentType, data])
  })

  test('attributes are text, numbers and booleans, and null is none', () => {
    expect(structured({ ...BARE, number: 7, flag: true, none: null }).attributes).toEqual({
      ...BARE,
      number: '7',
      flag: 'true',
    })
  })

  test.each([
    ['"a \\"b\\" c"', 'a "b" c'],
    ['a%20b', 'a b'],
    ['100%', '100%'],
    ['%E2%82%AC', '€'],
  ])('binary: the header %s is the attribute %s', (header, attribute) => {
    expect(arrived({ ...BINARY, 'ce-subject': header }).attributes['subject']).toBe(attribute)
  })
})

describe('refused, and told what is missing', () => {
  const without = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(BINARY).filter(([key]) => key !== name))

  test.each([
    ['nothing', {}, '', 'ce-specversion'],
    ['JSON that is no event', { 'content-type': 'application/json' }, '{"id":"a"}', 'ce-specversion'],
    ['no id', without('ce-id'), '', 'attribute id'],
    ['no source', without('ce-source'), '', 'attribute source'],
    ['no type', without('ce-type'), '', 'attribute type'],
    ['another version', { ...BINARY, 'ce-specversion': '0.3' }, '', '1.0, got 0.3'],
    ['a batch', { 'content-type': 'application/cloudevents-batch+json' }, '[]', 'cloudevents-batch'],
    ['another format', { 'content-type': 'application/cloudevents+protobuf' }, 'x', 'protobuf'],
  ])('%s', (_what, headers, body, detail) => {
    expect(() => arrived(headers, body)).toThrow(
      expect.objectContaining({ code: 'invalid-request', message: expect.stringContaining(detail) }),
    )
  })

  test.each([
    '',
    '{',
    '[]',
    'null',
    '7',
    '{}',
    '{"specversion":"1.0","id":"a","source":"/s","type":{}}',
    '{"specversion":"1.0","Id":"a"}',
  ])('structured: %s', (body) => {
    expect(() => arrived({ 'content-type': 'application/cloudevents+json' }, body)).toThrow(
      expect.objectContaining({ code: 'invalid-request' }),
    )
  })

  test('a body beyond the limit, which is not read to its end', async () => {
    let pulled = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        // Not endless: without the limit it would take all memory there is.
        if (++pulled > 8) return controller.close()
        controller.enqueue(new Uint8Array(EVENT_BYTES_MAX / 4 + 1))
      },
    })
    const request = new Request('http://localhost/', { method: 'POST', body, duplex: 'half' })
    await expect(bodyOf(request)).rejects.toMatchObject({ code: 'too-large' })
    expect(pulled).toBeLessThan(8)
  })
})

describe('as a message', () => {
  test('it is what an operator finds among the dead', () => {
    const event = structured({ ...BARE, subject: 'it', time: '2026-01-01T00:00:00Z', data: { a: 1 } })
    expect(messageOf(event, 'q', '00-parent')).toEqual({
      queue: 'q',
      id: 'a.1',
      type: 't',
      subject: 'it',
      time: '2026-01-01T00:00:00Z',
      data: { a: 1 },
      traceparent: '00-parent',
    })
  })

  test('data that is no JSON is text, and none is null', () => {
    expect(messageOf(arrived({ ...BINARY, 'content-type': 'application/json' }, '{'), 'q').data).toBe('{')
    expect(messageOf(arrived(BINARY, '{"a":1}'), 'q').data).toBe('{"a":1}')
    expect(messageOf(arrived(BINARY), 'q')).toMatchObject({ data: null, subject: '' })
  })
})
