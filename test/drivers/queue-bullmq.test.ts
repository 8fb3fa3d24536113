import { setImmediate } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ConsumeOptions, type Consumer, DEAD_LETTERS_KEPT, type QueueDriver } from '#shared/consumer.ts'
import { addDeadLetter, bullQueues } from '../../runtime/drivers/queue/bullmq-jobs.ts'
import { bullmqQueue } from '../../runtime/drivers/queue/bullmq.ts'
import { redisServer } from '../servers/redis.ts'
import { ACK, DEAD, handler, newMessage, OPTIONS, QUEUE, retry } from './queue-kit.ts'
import { describeQueue } from './queue.ts'
import { testRedis, type TestRedis } from './redis-kit.ts'

const url = await redisServer()

describe.skipIf(url === null)('with a Redis', () => {
  // Two sets of connections: what one process and another have.
  describeQueue('bullmq', async () => {
    const one = await testRedis(url!)
    const other = await testRedis(url!, one.prefix)
    const [queue, second] = [one, other].map(({ redis, prefix }) => bullmqQueue({ redis, prefix })) as [
      QueueDriver,
      QueueDriver,
    ]
    const close = async (): Promise<void> => {
      await Promise.all([queue.close(), second.close()])
      await other[Symbol.asyncDispose]()
      await one[Symbol.asyncDispose]()
    }
    return { queue, second, close }
  })

  describe('bullmq alone', () => {
    const leaseMs = 600
    let opened: TestRedis[]
    let drivers: QueueDriver[]
    let queue: QueueDriver
    /** As another process has it. */
    const another = async (): Promise<QueueDriver & { die: () => void }> => {
      const connections = await testRedis(url!, opened[0]?.prefix)
      opened.push(connections)
      const driver = bullmqQueue({ ...connections, leaseMs })
      drivers.push(driver)
      return { ...driver, die: () => connections.redis.close() }
    }
    beforeEach(async () => {
      opened = []
      drivers = []
      queue = await another()
    })
    afterEach(async () => {
      await Promise.all(drivers.map((driver) => driver.close()))
      for (const connections of opened.toReversed()) await connections[Symbol.asyncDispose]()
    })

    const consume = (driver = queue, options: Partial<ConsumeOptions> = {}) => {
      const handled = handler()
      const consumer: Consumer = driver.consume(QUEUE, { ...OPTIONS, ...options }, handled.handle)
      return { ...handled, consumer }
    }

    /** Resolves when the one lock there is has been held for longer than it lasts, so many times: it was renewed. */
    async function held({ client, prefix }: TestRedis, times: number): Promise<void> {
      const [lock] = await client.keys(`${prefix}:*:lock`)
      const startedAt = Date.now()
      // Less than nothing where it is not held.
      const heldMs = async (): Promise<number> => ((await client.exists(lock!)) === 1 ? Date.now() - startedAt : -1)
      await expect.poll(heldMs).toBeGreaterThan(times * leaseMs)
    }

    test('a message whose worker died comes again, uncounted, however often', async () => {
      const message = newMessage()
      await queue.send(message)
      for (let i = 0; i < 3; i++) {
        const victim = await another()
        const { delivery } = await consume(victim).next()
        expect(delivery).toEqual({ message, attempt: 1 })
        victim.die()
      }
      const { delivery, end } = await consume().next()
      expect(delivery).toEqual({ message, attempt: 1 })
      end(ACK)
      await expect.poll(() => queue.stats(QUEUE)).toMatchObject({ waiting: 0, active: 0, delayed: 0, dead: 0 })
    })

    test('a lock is renewed for as long as the handler runs', async () => {
      await queue.send(newMessage())
      const first = consume()
      const { end } = await first.next()
      const second = consume(await another())
      await held(opened[0]!, 3)
      expect(second.deliveries).toEqual([])
      end(ACK)
      await first.consumer.idle()
      expect(await queue.stats(QUEUE)).toMatchObject({ waiting: 0, active: 0 })
    })

    test.each([ACK, retry(), retry({ counted: false }), DEAD])(
      'once another has the message, a late verdict matches nothing: %o',
      async (verdict) => {
        const first = consume()
        const message = newMessage()
        await queue.send(message)
        const late = await first.next()
        const { client, prefix } = opened[0]!
        // As the clock of a process that stood still would have it: its lock is over, and another is there.
        first.consumer.pause()
        await client.set(`${prefix}:${QUEUE}:${message.id}:lock`, "another's")
        late.end(verdict)
        await first.consumer.idle()
        expect(await queue.stats(QUEUE)).toMatchObject({ active: 1, waiting: 0, delayed: 0, dead: 0 })
        expect(opened[0]!.errors).toEqual([])
      },
    )

    test('what was lost with all of Redis is sent again and comes, also while its first delivery runs', async () => {
      const message = newMessage()
      await queue.send(message)
      const { next, deliveries, consumer } = consume(queue, { concurrency: 2 })
      const first = await next()
      const { client, prefix } = opened[0]!
      await client.del(await client.keys(`${prefix}:*`))
      await client.script('FLUSH')
      const other = newMessage()
      await queue.send(other)
      const second = await next()
      expect(second.delivery).toEqual({ message: other, attempt: 1 })
      second.end(ACK)
      // It comes back to the one who works on it, and is not worked on twice.
      await queue.send(message)
      await expect.poll(() => queue.stats(QUEUE)).toMatchObject({ active: 1, waiting: 0 })
      await held(opened[0]!, 1)
      first.end(ACK)
      await consumer.idle()
      expect(await queue.stats(QUEUE)).toMatchObject({ active: 0, waiting: 0 })
      expect(deliveries).toHaveLength(2)
    })

    test('a letter that cannot be written keeps its message from going', async () => {
      const { redis, client, prefix, errors } = opened[0]!
      const told: unknown[] = []
      const driver = bullmqQueue({ redis, prefix, leaseMs, onError: (error) => told.push(error) })
      drivers.push(driver)
      const dead = `${prefix}:${QUEUE}-dead:wait`
      await client.set(dead, 'no list')
      const message = newMessage()
      await queue.send(message)
      const { next } = consume(driver)
      ;(await next()).end(DEAD)
      await expect.poll(() => told.length).toBe(1)
      await client.del(dead)
      const { delivery, end } = await next()
      expect(delivery).toEqual({ message, attempt: 1 })
      end(DEAD)
      await expect.poll(() => queue.stats(QUEUE)).toMatchObject({ active: 0, waiting: 0, dead: 1 })
      expect(errors).toEqual([])
    })

    test('what is just being taken when it is paused is given back', async () => {
      const taken: string[] = []
      const late: string[] = []
      const sent: string[] = []
      for (let i = 0; i < 40; i++) {
        let paused = false
        const consumer = queue.consume(QUEUE, OPTIONS, async ({ message }) => {
          ;(paused ? late : taken).push(message.id)
          return ACK
        })
        const message = newMessage()
        sent.push(message.id)
        await queue.send(message)
        // At another moment of its way each time.
        for (let turns = 0; turns < 8 * i; turns++) await setImmediate()
        consumer.pause()
        paused = true
        await consumer.close()
      }
      const { waiting, active } = await queue.stats(QUEUE)
      expect({ late, active, all: waiting + taken.length }).toEqual({ late: [], active: 0, all: sent.length })
    })

    test('BullMQ counts what was completed and failed', async () => {
      const { next, consumer } = consume()
      for (const verdict of [ACK, ACK, DEAD]) {
        await queue.send(newMessage())
        ;(await next()).end(verdict)
        await consumer.idle()
      }
      const bull = new Queue(QUEUE, { connection: await opened[0]!.redis.working(), prefix: opened[0]!.prefix })
      const counts = await Promise.all((['completed', 'failed'] as const).map((type) => bull.getMetrics(type)))
      expect(counts.map(({ meta }) => meta.count)).toEqual([2, 1])
      await bull.close()
    })

    test('a finished message leaves no key of its own', async () => {
      const { next, consumer } = consume()
      const messages = [newMessage(), newMessage()]
      for (const [i, message] of messages.entries()) {
        await queue.send(message)
        ;(await next()).end([ACK, DEAD][i]!)
        await consumer.idle()
      }
      const { client, prefix } = opened[0]!
      for (const { id } of messages) expect(await client.keys(`${prefix}:${QUEUE}:*${id}*`)).toEqual([])
    })

    test('of dead letters the newest are kept, up to a limit', { timeout: 120_000 }, async () => {
      const { redis, prefix } = opened[0]!
      const dead = new Queue(`${QUEUE}-dead`, { connection: await redis.working(), prefix })
      const many = Array.from({ length: 1_000 }, () => ({ name: 'old', data: {} }))
      for (let i = 0; i < DEAD_LETTERS_KEPT; i += many.length) await dead.addBulk(many)
      await dead.close()
      const letters = bullQueues(() => redis.working(), prefix)
      const message = newMessage()
      for (const reason of ['one', 'two']) {
        await addDeadLetter(letters, { message, reason, attempts: 1, lastStatus: null, diedAt: '' })
      }
      await letters.close()
      expect(await queue.stats(QUEUE)).toMatchObject({ dead: DEAD_LETTERS_KEPT })
      expect(await queue.deadLetters(QUEUE, 2)).toMatchObject([{ reason: 'two' }, { reason: 'one' }])
    })
  })
})
