/** The queue while Redis is away, silent or full. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ConsumeOptions, Delivery, QueueDriver } from '#shared/consumer.ts'
import type { Message } from '#shared/message.ts'
import { bullmqQueue } from '../../runtime/drivers/queue/bullmq.ts'
import type { OwnServer } from '../servers/own.ts'
import { hasOwnRedis, ownRedis } from '../servers/redis.ts'
import { ACK, DEAD, handler, newMessage, OPTIONS, QUEUE, retry } from './queue-kit.ts'
import { testRedis, type TestRedis } from './redis-kit.ts'

const UNAVAILABLE = { code: 'unavailable', status: 503, message: 'The queue cannot be reached right now.' }
const OUTAGES = ['kill', 'freeze'] as const

describe.skipIf(!hasOwnRedis())('bullmq, a Redis of its own', { timeout: 60_000 }, () => {
  const leaseMs = 600
  let server: OwnServer
  let opened: TestRedis | undefined
  let queue: QueueDriver
  let errors: unknown[]

  beforeEach(async () => {
    server = (await ownRedis(['--appendfsync', 'always', '--maxmemory-policy', 'noeviction']))!
  })
  afterEach(async () => {
    await queue.close()
    await opened?.[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function open(options: { leaseMs?: number } = {}): Promise<void> {
    opened = await testRedis(server.uri)
    errors = []
    queue = bullmqQueue({ ...opened, leaseMs, onError: (error) => errors.push(error), ...options })
  }
  const consume = (options: Partial<ConsumeOptions> = {}) => {
    const handled = handler()
    return { ...handled, consumer: queue.consume(QUEUE, { ...OPTIONS, ...options }, handled.handle) }
  }
  const back = (how: 'kill' | 'freeze'): Promise<void> | void => (how === 'kill' ? server.start() : server.thaw())
  const maxMemory = async (bytes: number): Promise<void> =>
    void (await opened!.client.config('SET', 'maxmemory', String(bytes)))
  /** How often Redis answered with this code. */
  const refusals = async (code: string): Promise<number> => {
    const text = await opened!.client.info('errorstats')
    return Number(new RegExp(`errorstat_${code}:count=(\\d+)`).exec(text)?.[1] ?? 0)
  }
  const sent = async (message = newMessage()): Promise<string> =>
    await queue.send(message).then(
      () => message.id,
      () => 'refused',
    )

  test('that was never there: it starts, says no, tells of it once, and takes up its work when it is there', async () => {
    await server.kill()
    await open()
    const { next } = consume()
    for (let i = 0; i < 5; i++) await expect(queue.send(newMessage())).rejects.toMatchObject(UNAVAILABLE)
    await expect(queue.stats(QUEUE)).rejects.toMatchObject(UNAVAILABLE)
    await expect(queue.remove(QUEUE, 'a.b')).rejects.toMatchObject(UNAVAILABLE)
    await expect.poll(() => opened!.errors.length).toBe(1)
    await server.start()
    const message = newMessage()
    await expect.poll(() => sent(message)).toBe(message.id)
    const { delivery, end } = await next()
    expect(delivery).toEqual({ message, attempt: 1 })
    end(ACK)
    await expect.poll(() => queue.stats(QUEUE)).toMatchObject({ waiting: 0, active: 0 })
    expect([opened!.errors.length, errors]).toEqual([1, []])
  })

  test.each(OUTAGES)('%s: who sends is told so in time, and the next outage is told of again', async (how) => {
    await open()
    await queue.send(newMessage())
    for (const times of [1, 2]) {
      await server[how]()
      await expect(queue.send(newMessage())).rejects.toMatchObject(UNAVAILABLE)
      await expect.poll(() => opened!.errors.length).toBe(times)
      await back(how)
      await expect.poll(() => sent()).not.toBe('refused')
    }
  })

  test.each(OUTAGES)('%s: what waits and what runs is still there, counted as before', async (how) => {
    await open()
    const [failed, running, waiting] = [newMessage(), newMessage(), newMessage()]
    const { next } = consume({ maxAttempts: 5 })
    await queue.send(failed)
    ;(await next()).end(retry({ afterMs: 3_000 }))
    await expect.poll(() => queue.stats(QUEUE)).toMatchObject({ delayed: 1 })
    await queue.send(running)
    const run = await next()
    await queue.send(waiting)
    await server[how]()
    // Longer than a lock: what ran may come again, to the one who works on it.
    await new Promise((resolve) => setTimeout(resolve, 2 * leaseMs))
    await back(how)
    run.end(ACK)
    // The one that ran may come once more: its verdict came when its lock was over.
    const ended: Delivery[] = []
    const isOver = ({ id }: Message): boolean => ended.some(({ message }) => message.id === id)
    while (![failed, waiting].every(isOver)) {
      const { delivery, end } = await next()
      ended.push(delivery)
      end(ACK)
    }
    for (const { message, attempt } of ended) expect(attempt).toBe(message.id === failed.id ? 2 : 1)
    await expect.poll(() => queue.stats(QUEUE)).toMatchObject({ active: 0, waiting: 0, delayed: 0, dead: 0 })
  })

  test('a verdict that falls into an outage is not lost', async () => {
    // Longer than the outage: the lock is still the worker's.
    await open({ leaseMs: 60_000 })
    const messages = [newMessage(), newMessage(), newMessage()]
    for (const message of messages) await queue.send(message)
    const { next, consumer } = consume({ concurrency: 3 })
    const running = [await next(), await next(), await next()]
    consumer.pause()
    await server.kill()
    for (const [i, { end }] of running.entries()) end([ACK, retry({ afterMs: 1 }), DEAD][i]!)
    await server.start()
    await consumer.idle()
    expect(await queue.stats(QUEUE)).toMatchObject({ waiting: 0, active: 0, delayed: 1, dead: 1 })
    const { delivery, end } = await consume().next()
    expect(delivery).toEqual({ message: messages[1], attempt: 2 })
    end(ACK)
  })

  test('out of memory: who sends is told so; what runs ends; the worker tells of it once and goes on', async () => {
    await open()
    const running = newMessage()
    await queue.send(running)
    const { next, consumer } = consume({ concurrency: 2 })
    const { end } = await next()
    const waiting = newMessage()
    consumer.pause()
    await queue.send(waiting)
    await maxMemory(1)
    await expect(queue.send(newMessage())).rejects.toMatchObject(UNAVAILABLE)
    end(ACK)
    await consumer.idle()
    expect(await queue.stats(QUEUE)).toMatchObject({ active: 0, waiting: 1 })
    const again = consume()
    await expect.poll(() => opened!.errors.length).toBe(1)
    await expect.poll(() => refusals('OOM')).toBeGreaterThan(4)
    expect([opened!.errors.length, errors.length]).toEqual([1, 0])
    await maxMemory(0)
    const { delivery, end: done } = await again.next()
    expect(delivery).toEqual({ message: waiting, attempt: 1 })
    done(ACK)
  })

  test('an error that stays is told of once, and tried again now and then, not all the time', async () => {
    await open()
    const { client, prefix } = opened!
    await client.set(`${prefix}:${QUEUE}:wait`, 'no list')
    const { next } = consume()
    await expect.poll(() => errors.length).toBe(1)
    const startedAt = performance.now()
    const before = await refusals('WRONGTYPE')
    await expect.poll(() => refusals('WRONGTYPE')).toBeGreaterThan(before + 1)
    // Two tries and what else looks at the list meanwhile: in a spin there are thousands in a second.
    expect((await refusals('WRONGTYPE')) - before).toBeLessThan(10 + (performance.now() - startedAt) / 50)
    expect(errors).toHaveLength(1)
    await client.del(`${prefix}:${QUEUE}:wait`)
    const message = newMessage()
    await queue.send(message)
    ;(await next()).end(ACK)
    await expect.poll(() => queue.stats(QUEUE)).toMatchObject({ active: 0, waiting: 0 })
  })

  test.each(['never there', ...OUTAGES] as const)('%s: it closes all the same', async (how) => {
    if (how === 'never there') await server.kill()
    await open()
    const { next, consumer } = consume()
    if (how !== 'never there') {
      await queue.send(newMessage())
      await next()
      await server[how]()
    }
    consumer.pause()
    await consumer.close()
    await queue.close()
    opened!.redis.close()
    await expect(queue.send(newMessage())).rejects.toMatchObject(UNAVAILABLE)
    await back(how === 'freeze' ? 'freeze' : 'kill')
  })
})
