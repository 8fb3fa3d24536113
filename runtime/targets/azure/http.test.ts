import type { HttpRequest } from '@azure/functions'
import { describe, expect, test } from 'vitest'
import { requestOf, responseInitOf } from './http.ts'

const incoming = (init: RequestInit = {}, url = 'http://localhost/tasks?a=%20b&a=c'): HttpRequest =>
  new Request(url, init) as unknown as HttpRequest

describe('a request', () => {
  test('keeps method, address, headers and bytes', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 256))
    const headers = {
      'content-type': 'image/jpeg',
      'x-api-key': 'k',
      'x-forwarded-for': '203.0.113.9, 198.51.100.7:4711',
    }
    const { request, arrival } = requestOf(incoming({ method: 'POST', headers, body: bytes }))
    expect([request.method, request.url]).toEqual(['POST', 'http://localhost/tasks?a=%20b&a=c'])
    expect(Object.fromEntries(request.headers)).toEqual(headers)
    expect([arrival.client, arrival.bodyComplete!()]).toEqual(['198.51.100.7', false])
    expect(Buffer.from(await request.arrayBuffer())).toEqual(bytes)
    expect([arrival.bytesRead!(), arrival.bodyComplete!()]).toEqual([300_000, true])
  })

  test.each(['GET', 'HEAD', 'DELETE'])('%s has no body', (method) => {
    const { request, arrival } = requestOf(incoming({ method }))
    expect([request.body, arrival.bytesRead]).toEqual([null, undefined])
  })

  test.each([
    ['203.0.113.9', '203.0.113.9'],
    ['203.0.113.9:80', '203.0.113.9'],
    ['[2001:db8::1]:80', '[2001:db8::1]'],
    ['2001:db8::1', '2001:db8::1'],
    ['', ''],
  ])('from %s comes from %s', (forwarded, client) => {
    expect(requestOf(incoming({ headers: { 'x-forwarded-for': forwarded } })).arrival.client).toBe(client)
  })
})

describe('a response', () => {
  test('has each of its cookies, and nothing of them in its headers', () => {
    const headers = new Headers({ etag: '"x"' })
    headers.append('set-cookie', 'a=1%202; Path=/p; Max-Age=60; HttpOnly; Secure; SameSite=lax')
    headers.append('set-cookie', 'b=x=y; Domain=example.com; Expires=Thu, 01 Jan 2026 00:00:00 GMT')
    const { headers: given, cookies, body, status } = responseInitOf(new Response(null, { status: 304, headers }))
    expect([status, body, Object.fromEntries(given as Headers)]).toEqual([304, undefined, { etag: '"x"' }])
    expect(cookies).toEqual([
      { name: 'a', value: '1 2', path: '/p', maxAge: 60, httpOnly: true, secure: true, sameSite: 'Lax' },
      { name: 'b', value: 'x=y', domain: 'example.com', expires: new Date(Date.UTC(2026, 0, 1)) },
    ])
  })
})
