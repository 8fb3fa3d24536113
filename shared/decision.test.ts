import { expect, test } from 'vitest'
import { decide, type Decision } from './decision.ts'
import { taskCreated } from './message.ts'
import { newTaskId } from './task.ts'
import { verdictOf, verdictOfThrow } from './verdict.ts'

const message = taskCreated(newTaskId())
const CONFIG = { maxAttempts: 3, backoff: { initialMs: 1_000, factor: 2, maxMs: 60_000 } }

function decided(status: number, attempt: number, headers: Record<string, string> = {}): Decision {
  return decide(verdictOf(new Response(null, { status, headers })), { message, attempt }, CONFIG)
}

test('a success is acknowledged, whichever attempt it is', () => {
  expect(decided(204, 1)).toEqual({ kind: 'ack' })
  expect(decided(200, 4)).toEqual({ kind: 'ack' })
})

test('a failure comes again: backed off, or when it asks to; the delivery for settling at once', () => {
  const first = decided(500, 1)
  expect(first).toMatchObject({ kind: 'retry', status: 500, counted: true })
  const { afterMs } = first as { afterMs: number }
  expect(afterMs).toBeGreaterThanOrEqual(500)
  expect(afterMs).toBeLessThanOrEqual(1_000)
  expect(decided(503, 2, { 'retry-after': '7' })).toMatchObject({ kind: 'retry', afterMs: 7_000 })
  expect(decided(503, 3, { 'retry-after': '7' })).toMatchObject({ kind: 'retry', afterMs: 0 })
})

test('what failed when it should settle is dead, with all that is known of it', () => {
  const letter = { message, reason: 'status 503', attempts: 4, lastStatus: 503 }
  expect(decided(503, 4)).toMatchObject({ kind: 'dead', letter })
})

test('what did not count is never the last', () => {
  const notRun = { 'x-revela-not-run': '1' }
  expect(decided(503, 4, notRun)).toMatchObject({ kind: 'retry', afterMs: 1_000, counted: false })
  expect(decided(503, 4, { ...notRun, 'retry-after': '3' })).toMatchObject({ kind: 'retry', afterMs: 3_000 })
})

test('a refusal is dead at once', () => {
  expect(decided(422, 1)).toMatchObject({
    kind: 'dead',
    letter: { reason: 'status 422', attempts: 1, lastStatus: 422 },
  })
})

test('a handler that throws has failed once', () => {
  expect(decide(verdictOfThrow(new Error('boom')), { message, attempt: 3 }, CONFIG)).toMatchObject({
    kind: 'retry',
    reason: 'the handler threw: boom',
    status: null,
    afterMs: 0,
    counted: true,
  })
  const letter = { reason: 'the handler threw: what was no error', lastStatus: null }
  expect(decide(verdictOfThrow('what was no error'), { message, attempt: 4 }, CONFIG)).toMatchObject({ letter })
})
