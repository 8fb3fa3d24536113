/** What becomes of a message that failed. */
import { describe, expect, test } from 'vitest'
import type { DeadLetter } from '#shared/consumer.ts'
import { ACK, DEAD, NEVER, newMessage, QUEUE, retry } from './queue-kit.ts'
import type { QueueSuite } from './queue.ts'

export function describeRetries({ queue, second, consume, settled }: QueueSuite): void {
  describe('retry', () => {
    test('counts, and comes again after its backoff', async () => {
      const { next } = consume({ backoff: { initialMs: 60, factor: 1, maxMs: 60 } })
      await queue().send(newMessage())
      const before = Date.now()
      const first = await next()
      first.end(retry())
      const second = await next()
      expect(second.delivery).toEqual({ ...first.delivery, attempt: 2 })
      // Between half and all of the step.
      expect(Date.now() - before).toBeGreaterThanOrEqual(30)
      second.end(ACK)
    })

    test('afterMs stands in for the backoff', async () => {
      const { next } = consume({ backoff: NEVER })
      await queue().send(newMessage())
      const before = Date.now()
      ;(await next()).end(retry({ afterMs: 50 }))
      const { delivery, end } = await next()
      expect(delivery.attempt).toBe(2)
      expect(Date.now() - before).toBeGreaterThanOrEqual(50)
      end(ACK)
    })

    test('one that waits for its time holds up no other', async () => {
      const { next } = consume({ backoff: NEVER })
      await queue().send(newMessage())
      ;(await next()).end(retry())
      await settled({ delayed: 1 })
      const message = newMessage()
      await queue().send(message)
      const { delivery, end } = await next()
      expect(delivery.message.id).toBe(message.id)
      end(ACK)
      await settled({ delayed: 1, waiting: 0, active: 0 })
    })

    test('uncounted, the attempt stays, however often', async () => {
      const { next } = consume({ maxAttempts: 1, backoff: NEVER })
      await queue().send(newMessage())
      for (let i = 0; i < 4; i++) {
        const { delivery, end } = await next()
        expect(delivery.attempt).toBe(1)
        end(retry({ counted: false, afterMs: 0 }))
      }
      ;(await next()).end(ACK)
    })

    test('a handler that throws has failed once', async () => {
      const { next } = consume()
      await queue().send(newMessage())
      ;(await next()).end(Promise.reject(new Error('boom')))
      const { delivery, end } = await next()
      expect(delivery.attempt).toBe(2)
      end(ACK)
    })
  })

  describe('dead letters', () => {
    test('after maxAttempts failures it comes once more, at once; failing again it is dead', async () => {
      // With this backoff only the settling delivery can come within the test.
      const { next } = consume({ maxAttempts: 1, backoff: NEVER })
      const message = newMessage()
      await queue().send(message)
      ;(await next()).end(retry())
      const { delivery, end } = await next()
      expect(delivery.attempt).toBe(2)
      end(retry({ afterMs: 3_600_000 }))
      await settled({ dead: 1, waiting: 0, active: 0, delayed: 0 })
      const [letter] = await queue().deadLetters(QUEUE, 10)
      const { diedAt, ...rest } = letter!
      expect(rest).toEqual({ message, reason: 'status 503', attempts: 2, lastStatus: 503 })
      expect(new Date(diedAt).toISOString()).toBe(diedAt)
    })

    test('acked on the settling delivery, it is not dead', async () => {
      const { next, deliveries } = consume({ maxAttempts: 2 })
      await queue().send(newMessage())
      for (const verdict of [retry(), retry(), ACK]) (await next()).end(verdict)
      await settled({ waiting: 0, active: 0, delayed: 0, dead: 0 })
      expect(deliveries.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
    })

    test('a dead verdict needs no second try, and its id may be sent again', async () => {
      const { next } = consume()
      const message = newMessage()
      await queue().send(message)
      ;(await next()).end(DEAD)
      await settled({ dead: 1, waiting: 0, active: 0 })
      expect(await second().deadLetters(QUEUE, 10)).toMatchObject([
        { message, reason: 'status 422', attempts: 1, lastStatus: 422 },
      ])
      await queue().send(message)
      ;(await next()).end(ACK)
      expect(await queue().deadLetters(QUEUE, 10)).toHaveLength(1)
    })

    test('each is told of once, as it is written, whichever way it died', async () => {
      const told: DeadLetter[] = []
      const { next } = consume({ maxAttempts: 1, onDead: (letter) => told.push(letter) })
      for (const verdicts of [
        [retry(), retry()],
        [DEAD],
        [retry({ counted: false, afterMs: 0 }), ACK],
        [retry(), ACK],
      ]) {
        await queue().send(newMessage())
        for (const verdict of verdicts) (await next()).end(verdict)
      }
      await settled({ dead: 2, waiting: 0, active: 0, delayed: 0 })
      await expect.poll(() => told.length, { interval: 2 }).toBe(2)
      expect(told).toEqual((await queue().deadLetters(QUEUE, 10)).toReversed())
      expect(told.map(({ reason }) => reason)).toEqual(['status 503', 'status 422'])
    })

    test('of many, the newest up to limit', async () => {
      const { next } = consume()
      const messages = [newMessage(), newMessage(), newMessage()]
      for (const message of messages) {
        await queue().send(message)
        ;(await next()).end(DEAD)
      }
      await settled({ dead: 3 })
      const letters = await queue().deadLetters(QUEUE, 2)
      expect(letters.map(({ message }) => message.id)).toEqual([messages[2]!.id, messages[1]!.id])
    })
  })
}
