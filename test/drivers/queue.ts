/** What every queue must do, whatever it is made of. Each queue's own test opens it and hands it over. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ConsumeOptions, Consumer, Delivery, QueueDriver, QueueStats } from '#shared/consumer.ts'
import type { Verdict } from '#shared/verdict.ts'
import { ACK, handler, NEVER, newMessage, OPTIONS, QUEUE, retry } from './queue-kit.ts'
import { describeRetries } from './queue-retries.ts'

export interface OpenedQueue {
  /** Learns of messages of its own process by being told, not by polling. */
  queue: QueueDriver
  /** The same queues as another process has them. */
  second: QueueDriver
  close(): Promise<void>
}

/** What the parts of the suite share. */
export interface QueueSuite {
  queue(this: void): QueueDriver
  second(this: void): QueueDriver
  consume(this: void, options?: Partial<ConsumeOptions>, driver?: QueueDriver): Consumed
  /** Resolves when the stats are as told: what follows a verdict is not awaited by any handler. */
  settled(this: void, stats: Partial<QueueStats>): Promise<void>
}

type Consumed = ReturnType<typeof handler> & { consumer: Consumer }

export function describeQueue(name: string, open: () => Promise<OpenedQueue>): void {
  describe(`queue: ${name}`, () => {
    let opened: OpenedQueue
    let queue: QueueDriver
    beforeEach(async () => {
      opened = await open()
      queue = opened.queue
    })
    afterEach(() => opened.close())

    const consume = (options: Partial<ConsumeOptions> = {}, driver = queue): Consumed => {
      const handled = handler()
      return { ...handled, consumer: driver.consume(QUEUE, { ...OPTIONS, ...options }, handled.handle) }
    }
    const settled = async (stats: Partial<QueueStats>): Promise<void> => {
      await expect.poll(() => queue.stats(QUEUE), { interval: 2, timeout: 10_000 }).toMatchObject(stats)
    }

    test('a message comes as it was sent, as attempt 1, and once it is acked no more', async () => {
      const { next, deliveries } = consume()
      const message = { ...newMessage(), data: { a: ['ü', 1, null] }, traceparent: 't' }
      await queue.send(message)
      const { delivery, end } = await next()
      expect(delivery).toEqual({ message, attempt: 1 })
      end(ACK)
      await settled({ waiting: 0, active: 0, delayed: 0, dead: 0 })
      expect(deliveries).toHaveLength(1)
    })

    test('messages that were sent before anyone listened come in their order', async () => {
      const messages = [newMessage(), newMessage(), newMessage()]
      for (const message of messages) await queue.send(message)
      const { next } = consume()
      for (const message of messages) {
        const { delivery, end } = await next()
        expect(delivery.message.id).toBe(message.id)
        end(ACK)
      }
    })

    test('a message goes to its own queue only', async () => {
      const { next } = consume()
      await queue.send({ ...newMessage(), queue: 'another-queue' })
      const message = newMessage()
      await queue.send(message)
      const { delivery, end } = await next()
      expect(delivery.message).toEqual(message)
      end(ACK)
      expect(await queue.stats('another-queue')).toMatchObject({ waiting: 1 })
    })

    test('an id that waits or runs is not added again; one that is over is', async () => {
      const message = newMessage()
      await queue.send(message)
      await opened.second.send(message)
      expect(await queue.stats(QUEUE)).toMatchObject({ waiting: 1 })
      const { next, deliveries } = consume()
      const first = await next()
      await queue.send(message)
      first.end(ACK)
      await settled({ waiting: 0, active: 0 })
      expect(deliveries).toHaveLength(1)
      await queue.send(message)
      ;(await next()).end(ACK)
    })

    test('never more at once than concurrency, and as many where there are', async () => {
      const { next, deliveries } = consume({ concurrency: 3 })
      for (let i = 0; i < 7; i++) await queue.send(newMessage())
      const running = [await next(), await next(), await next()]
      expect(await queue.stats(QUEUE)).toMatchObject({ active: 3, waiting: 4 })
      expect(deliveries).toHaveLength(3)
      running[1]!.end(ACK)
      await next()
      expect(await queue.stats(QUEUE)).toMatchObject({ active: 3, waiting: 3 })
      expect(deliveries).toHaveLength(4)
    })

    test('two consumers share a queue, and no message comes to both', async () => {
      const ids: string[] = []
      const handle = async ({ message }: Delivery): Promise<Verdict> => {
        ids.push(message.id)
        return ACK
      }
      queue.consume(QUEUE, { ...OPTIONS, concurrency: 2 }, handle)
      opened.second.consume(QUEUE, { ...OPTIONS, concurrency: 2 }, handle)
      const messages = Array.from({ length: 40 }, newMessage)
      await Promise.all(messages.map((message, i) => (i % 2 ? queue : opened.second).send(message)))
      await settled({ waiting: 0, active: 0 })
      expect(ids.toSorted()).toEqual(messages.map(({ id }) => id).toSorted())
    })

    test('a message of another process is found', async () => {
      const { next } = consume()
      await settled({ waiting: 0 })
      const message = newMessage()
      await opened.second.send(message)
      const { delivery, end } = await next()
      expect(delivery.message).toEqual(message)
      end(ACK)
    })

    describeRetries({ queue: () => queue, second: () => opened.second, consume, settled })

    test('remove takes a waiting message out and leaves a running one to end', async () => {
      const running = newMessage()
      const waiting = newMessage()
      const { next, deliveries } = consume({ backoff: NEVER })
      await queue.send(running)
      const { end } = await next()
      await queue.send(waiting)
      await queue.remove(QUEUE, running.id)
      await opened.second.remove(QUEUE, waiting.id)
      await queue.remove(QUEUE, 'unknown.id')
      expect(await queue.stats(QUEUE)).toMatchObject({ active: 1, waiting: 0 })
      end(retry())
      await settled({ active: 0, delayed: 1 })
      await queue.remove(QUEUE, running.id)
      await settled({ delayed: 0 })
      expect(deliveries).toHaveLength(1)
    })

    test('a paused consumer takes no more; idle resolves when what runs has ended', async () => {
      const { next, deliveries, consumer } = consume({ concurrency: 2 })
      await consumer.idle()
      await queue.send(newMessage())
      const { end } = await next()
      consumer.pause()
      await queue.send(newMessage())
      // Once this one has come, the other would have come too.
      const elsewhere = handler()
      queue.consume('another-queue', OPTIONS, elsewhere.handle)
      await queue.send({ ...newMessage(), queue: 'another-queue' })
      ;(await elsewhere.next()).end(ACK)
      let idle = false
      const idled = consumer.idle().then(() => (idle = true))
      expect(await queue.stats(QUEUE)).toMatchObject({ active: 1, waiting: 1 })
      expect(idle).toBe(false)
      end(ACK)
      await idled
      expect(await queue.stats(QUEUE)).toMatchObject({ active: 0, waiting: 1 })
      expect(deliveries).toHaveLength(1)
    })

    test('close gives back what runs, uncounted, and a later verdict of it is ignored', async () => {
      const message = newMessage()
      const first = consume()
      await queue.send(message)
      const lost = await first.next()
      await first.consumer.close()
      await first.consumer.idle()
      const second = consume({}, opened.second)
      const { delivery, end } = await second.next()
      expect(delivery).toEqual({ message, attempt: 1 })
      lost.end(ACK)
      end(retry())
      const again = await second.next()
      expect(again.delivery.attempt).toBe(2)
      again.end(ACK)
      await settled({ waiting: 0, active: 0, delayed: 0 })
    })

    test('stats: what is ready, what runs, what comes later, and how old the oldest is', async () => {
      expect(await queue.stats(QUEUE)).toEqual({ waiting: 0, active: 0, delayed: 0, dead: 0, oldestMs: 0 })
      await queue.send(newMessage())
      await expect.poll(async () => (await queue.stats(QUEUE)).oldestMs, { interval: 2 }).toBeGreaterThan(0)
      const { next } = consume({ backoff: NEVER })
      ;(await next()).end(retry())
      await settled({ waiting: 0, active: 0, delayed: 1, oldestMs: 0 })
    })
  })
}
