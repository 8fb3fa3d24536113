import { expect, test } from 'vitest'
import type { Caller } from '#shared/bindings.ts'
import { DAY_MS } from '#shared/limits.ts'
import { testTask } from '../../test/tasks.ts'
import { cacheControl } from './freshness.ts'

const YEAR = 31_536_000
const now = Date.parse('2026-11-24T10:00:00.000Z')
const signed = testTask()
const open = testTask({ options: { ...signed.options, access: 'public' } })
const ending = testTask({ expiresAt: new Date(now + 90_500).toISOString() })
const ended = testTask({ expiresAt: new Date(now - 1).toISOString() })
const key: Caller = { kind: 'key', keyId: 'k' }
const link = (ms: number): Caller => ({ kind: 'link', expiresAt: now + ms })
const FOREVER = `max-age=${YEAR}, immutable`

test.for([
  ['no keys', false, { kind: 'open' }, signed, false, `public, ${FOREVER}`],
  ['public task, anonymous', true, { kind: 'anonymous' }, open, false, `public, ${FOREVER}`],
  ['public task, key', true, key, open, false, `public, ${FOREVER}`],
  ['public task, link about to end', true, link(5_000), open, false, `public, ${FOREVER}`],
  ['key', true, key, signed, false, `private, ${FOREVER}`],
  ['link', true, link(5_999), signed, false, 'private, max-age=5'],
  ['link of ten years', true, link(3_650 * DAY_MS), signed, false, `private, max-age=${YEAR}`],
  ['link that just ended', true, link(-1), signed, false, 'private, max-age=0'],
  ['task that expires', false, { kind: 'open' }, ending, false, 'public, max-age=90, immutable'],
  ['task that expires before the link', true, link(DAY_MS), ending, false, 'private, max-age=90'],
  ['task that expires after the link', true, link(30_000), ending, false, 'private, max-age=30'],
  ['task that has expired', true, key, ended, false, 'private, max-age=0, immutable'],
  ['stopgap', false, { kind: 'open' }, signed, true, 'public, max-age=60'],
  ['stopgap, key', true, key, signed, true, 'private, max-age=60'],
  ['stopgap, link about to end', true, link(5_000), signed, true, 'private, max-age=5'],
] as const)('%s', ([, keyed, caller, task, stopgap, expected]) => {
  expect(cacheControl({ settings: { keyed }, caller, task, stopgap, now })).toBe(expected)
})
