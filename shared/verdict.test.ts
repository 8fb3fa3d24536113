import { describe, expect, it } from 'vitest'
import { NOT_RUN_HEADER, UNMATCHED_HEADER, verdictOf } from './verdict.ts'

describe('the verdict table', () => {
  const retry = { kind: 'retry', counted: true, fault: false, afterMs: null }
  const ack = { kind: 'ack' }
  const dead = { kind: 'dead' }
  const fault = { ...retry, fault: true }
  const rows: [string, Response | null, object][] = [
    ...[200, 201, 202, 204, 299].map((status): [string, Response, object] => [
      String(status),
      new Response(null, { status }),
      ack,
    ]),
    ...[408, 425, 429, 500, 502, 503, 504, 599].map((status): [string, Response, object] => [
      String(status),
      new Response(null, { status }),
      { ...retry, status },
    ]),
    ...[400, 401, 404, 410, 413, 422, 426, 428, 499].map((status): [string, Response, object] => [
      String(status),
      new Response(null, { status }),
      { ...dead, status },
    ]),
    ...[300, 302, 304].map((status): [string, Response, object] => [
      String(status),
      new Response(null, { status }),
      { ...fault, status },
    ]),
    ['no Response', null, { ...fault, status: null }],
    ['a 404 of a router', new Response(null, { status: 404, headers: { [UNMATCHED_HEADER]: '1' } }), fault],
    [
      'a 503 of the runtime',
      new Response(null, { status: 503, headers: { [NOT_RUN_HEADER]: '1' } }),
      { ...retry, counted: false },
    ],
    [
      'Retry-After in seconds',
      new Response(null, { status: 503, headers: { 'Retry-After': '7' } }),
      { ...retry, afterMs: 7_000 },
    ],
    [
      'Retry-After of an hour',
      new Response(null, { status: 429, headers: { 'Retry-After': '3600' } }),
      { ...retry, afterMs: 3_600_000 },
    ],
    [
      'Retry-After beyond an hour',
      new Response(null, { status: 429, headers: { 'Retry-After': '3601' } }),
      { ...retry, afterMs: 3_600_000 },
    ],
    [
      'Retry-After in the past',
      new Response(null, { status: 429, headers: { 'Retry-After': 'Thu, 01 Jan 1970 00:00:00 GMT' } }),
      { ...retry, afterMs: 0 },
    ],
    ['Retry-After that is none', new Response(null, { status: 429, headers: { 'Retry-After': 'soon' } }), retry],
  ]
  it.each(rows)('%s', (_what, response, verdict) => {
    expect(verdictOf(response)).toMatchObject(verdict)
  })

  it('Retry-After as a date', () => {
    const at = new Date(Date.now() + 60_000).toUTCString()
    const verdict = verdictOf(new Response(null, { status: 503, headers: { 'Retry-After': at } }))
    expect(verdict).toMatchObject({ kind: 'retry' })
    expect((verdict as { afterMs: number }).afterMs).toBeGreaterThan(50_000)
    expect((verdict as { afterMs: number }).afterMs).toBeLessThanOrEqual(60_000)
  })
})
