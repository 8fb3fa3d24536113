import { describe, expect, test } from 'vitest'
import { taskCreated } from '#shared/message.ts'
import { newTaskId } from '#shared/task.ts'
import { answerOf } from './answer.ts'

const message = taskCreated(newTaskId())
const dead = (lastStatus: number | null, buried: boolean) =>
  answerOf({
    kind: 'dead',
    buried,
    letter: { message, reason: 'status', attempts: 1, lastStatus, diedAt: message.time },
  })
const retry = (status: number | null, afterMs = 0) =>
  answerOf({ kind: 'retry', reason: 'status', status, afterMs, counted: true })

/** Of Knative Eventing: what its sender delivers again. */
const isRetriedByKnative = (status: number): boolean => [404, 408, 409, 429].includes(status) || status >= 500
/** Of Pub/Sub: what acknowledges a push. */
const isAckedByPubsub = (status: number): boolean => [102, 200, 201, 202, 204].includes(status)

describe('a decision as an HTTP answer', () => {
  test('what is over is 204, without a body: a broker takes any other body for a failure', () => {
    for (const response of [answerOf({ kind: 'ack' }), dead(422, true), dead(null, true)]) {
      expect([response.status, response.body]).toEqual([204, null])
    }
  })

  test.each([
    [429, 429],
    [500, 500],
    [503, 503],
    [599, 599],
    // These would not come again, or not on every platform.
    [408, 503],
    [425, 503],
    [404, 503],
    [302, 503],
    [101, 503],
    [null, 503],
  ])('what is to come again after %s is %i, and does come again everywhere', (status, answered) => {
    const response = retry(status)
    expect([response.status, response.body]).toEqual([answered, null])
    expect(isRetriedByKnative(response.status)).toBe(true)
    expect(isAckedByPubsub(response.status)).toBe(false)
  })

  test.each([
    [0, '0'],
    [1, '1'],
    [1_500, '2'],
    [3_600_000, '3600'],
  ])('and says when: after %i ms in %s s', (afterMs, seconds) => {
    expect(retry(503, afterMs).headers.get('retry-after')).toBe(seconds)
  })

  test.each([
    [400, 400],
    [403, 403],
    [422, 422],
    [404, 422],
    [409, 422],
    [408, 422],
    [429, 422],
    [503, 422],
    [null, 422],
  ])(
    'a dead message that is not buried, with %s, is %i: the platform buries it, and does not try it again',
    (last, answered) => {
      const { status } = dead(last, false)
      expect(status).toBe(answered)
      expect(isRetriedByKnative(status)).toBe(false)
      expect(isAckedByPubsub(status)).toBe(false)
    },
  )
})
