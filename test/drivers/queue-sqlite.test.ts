/** What the suite of all queues does not ask of SQLite's. Over 250 lines, since all of it shares one queue and clock. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DEAD_LETTERS_KEPT, type QueueDriver } from '#shared/consumer.ts'
import { sqliteLeases } from '../../runtime/drivers/queue/sqlite-leases.ts'
import { sqliteQueue, type SqliteQueue } from '../../runtime/drivers/queue/sqlite.ts'
import type { SqliteFile } from '../../runtime/drivers/sqlite/file.ts'
import { transaction } from '../../runtime/drivers/sqlite/transaction.ts'
import { ACK, DEAD, handler, NEVER, newMessage, OPTIONS, QUEUE, retry } from './queue-kit.ts'
import { describeQueue } from './queue.ts'
import { type TestFile, testFile } from './sqlite-file.ts'

// Two handles on one file: what one process and another have.
describeQueue('sqlite', async () => {
  const file = testFile()
  const queue = sqliteQueue({ file: file.open(), pollMs: 10 })
  const second = sqliteQueue({ file: file.open(), pollMs: 10 })
  const close = async (): Promise<void> => {
    await Promise.all([queue.close(), second.close()])
    file.remove()
  }
  return { queue, second, close }
})

const HOUR = 3_600_000

describe('sqlite alone', () => {
  let file: TestFile
  let handle: SqliteFile
  let queue: SqliteQueue
  beforeEach(() => {
    file = testFile()
    handle = file.open()
    queue = sqliteQueue({ file: handle, pollMs: HOUR })
  })
  afterEach(async () => {
    await queue.close()
    file.remove()
  })

  const consume = (driver: QueueDriver = queue, options = OPTIONS) => {
    const handled = handler()
    return { ...handled, consumer: driver.consume(QUEUE, options, handled.handle) }
  }
  const expireLeases = (): void => handle.relaxed.exec('UPDATE queue_messages SET ready_at = 0 WHERE lease IS NOT NULL')

  test('enqueue is part of the transaction that it is called in, and wakes after it', async () => {
    const { next, deliveries } = consume()
    const message = newMessage()
    const undone = (): void => {
      queue.enqueue(newMessage())
      throw new Error('undone')
    }
    expect(() => transaction(handle.durable, undone)).toThrow('undone')
    transaction(handle.durable, () => queue.enqueue(message))
    expect(deliveries).toEqual([])
    const { delivery, end } = await next()
    expect(delivery.message).toEqual(message)
    end(ACK)
  })

  test('a message of this process wakes a consumer that does not poll', async () => {
    const { next, consumer } = consume()
    await consumer.idle()
    await queue.send(newMessage())
    ;(await next()).end(retry({ afterMs: 20 }))
    // Nor is the retry polled for: a timer wakes for it.
    const { delivery, end } = await next()
    expect(delivery.attempt).toBe(2)
    end(ACK)
  })

  test('a message whose worker died comes again when its lease is over, uncounted', async () => {
    const message = newMessage()
    await queue.send(message)
    // As by a process that took it and was killed.
    const until = Date.now() + 80
    const free = (): number => 1
    const [lease] = await sqliteLeases(file.open()).take(QUEUE, free, () => 'the-dead-one.1', 80)
    expect(lease).toMatchObject({ message, failures: 0 })
    const { next } = consume()
    const { delivery, end } = await next()
    expect(Date.now()).toBeGreaterThanOrEqual(until)
    expect(delivery).toEqual({ message, attempt: 1 })
    end(ACK)
  })

  test('a lease is renewed for as long as the handler runs', async () => {
    const leaseMs = 90
    const slow = sqliteQueue({ file: file.open(), leaseMs })
    const other = sqliteQueue({ file: file.open(), leaseMs, pollMs: 10 })
    await queue.send(newMessage())
    const first = consume(slow)
    const { end } = await first.next()
    const second = consume(other)
    const leasedUntil = (): number =>
      Number(handle.relaxed.prepare('SELECT ready_at FROM queue_messages').get()?.['ready_at'])
    const started = leasedUntil()
    await expect.poll(leasedUntil, { interval: 5 }).toBeGreaterThan(started + leaseMs)
    expect(second.deliveries).toEqual([])
    end(ACK)
    await first.consumer.idle()
    expect(await queue.stats(QUEUE)).toMatchObject({ waiting: 0, active: 0 })
    await Promise.all([slow.close(), other.close()])
  })

  test.each([ACK, retry(), DEAD])(
    'once another has the lease, a late verdict matches nothing: $kind',
    async (verdict) => {
      const first = consume()
      await queue.send(newMessage())
      const late = await first.next()
      expireLeases()
      const other = sqliteQueue({ file: file.open(), pollMs: 10 })
      const second = consume(other)
      const { delivery, end } = await second.next()
      expect(delivery.attempt).toBe(1)
      first.consumer.pause()
      late.end(verdict)
      await first.consumer.idle()
      expect(await queue.stats(QUEUE)).toMatchObject({ active: 1, waiting: 0, delayed: 0, dead: 0 })
      end(ACK)
      await second.consumer.idle()
      expect(await queue.stats(QUEUE)).toMatchObject({ active: 0, waiting: 0 })
      await other.close()
    },
  )

  test('the same within one process: the late verdict is of another delivery', async () => {
    const { next, consumer } = consume(queue, { ...OPTIONS, concurrency: 2 })
    await queue.send(newMessage())
    const late = await next()
    expireLeases()
    // Wakes the consumer, which takes the expired message once more.
    await queue.send(newMessage())
    const again = await next()
    expect(again.delivery.message.id).toBe(late.delivery.message.id)
    consumer.pause()
    late.end(ACK)
    await expect.poll(async () => (await queue.stats(QUEUE)).active, { interval: 2 }).toBe(1)
    again.end(ACK)
    await consumer.idle()
    expect(await queue.stats(QUEUE)).toMatchObject({ active: 0, waiting: 1 })
  })

  test('after a long stall its own running messages are not taken again', async () => {
    const { next, deliveries } = consume(queue, { ...OPTIONS, concurrency: 2 })
    await queue.send(newMessage())
    const first = await next()
    // A machine that slept: the clock has moved past the lease, and no timer has fired yet.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + HOUR })
    try {
      await queue.send(newMessage())
      const second = await next()
      expect(second.delivery.message.id).not.toBe(first.delivery.message.id)
      expect(deliveries).toHaveLength(2)
      first.end(ACK)
      second.end(ACK)
    } finally {
      vi.useRealTimers()
    }
  })

  test('an outage between deliveries is reported, and the message comes when it is over', async () => {
    const errors: unknown[] = []
    const own = file.open(0)
    const driver = sqliteQueue({ file: own, pollMs: HOUR, onError: (error) => errors.push(error) })
    await queue.send(newMessage())
    handle.relaxed.exec('BEGIN IMMEDIATE')
    const { next } = consume(driver)
    await expect.poll(() => errors.length).toBeGreaterThan(0)
    handle.relaxed.exec('COMMIT')
    ;(await next()).end(ACK)
    await driver.close()
  })

  test('what is done while another process writes is taken off when that is over', async () => {
    const { next, consumer, deliveries } = consume()
    await queue.send(newMessage())
    const { end } = await next()
    const other = file.open()
    other.relaxed.exec('BEGIN IMMEDIATE')
    end(ACK)
    let isIdle = false
    const idle = consumer.idle().then(() => (isIdle = true))
    // Reads go on meanwhile.
    for (let turns = 0; turns < 20; turns++) {
      await nextTurn()
      expect(await queue.stats(QUEUE)).toMatchObject({ active: 1 })
    }
    expect(isIdle).toBe(false)
    other.relaxed.exec('ROLLBACK')
    await idle
    expect(await queue.stats(QUEUE)).toMatchObject({ active: 0, waiting: 0, delayed: 0, dead: 0 })
    expect(deliveries).toHaveLength(1)
  })

  test('what is taken by a consumer that was paused meanwhile goes back, uncounted', async () => {
    const other = file.open()
    await queue.send(newMessage())
    const { consumer, deliveries } = consume()
    other.relaxed.exec('BEGIN IMMEDIATE')
    await nextTurn()
    await nextTurn()
    consumer.pause()
    await consumer.idle()
    const closed = consumer.close()
    other.relaxed.exec('ROLLBACK')
    await closed
    expect(await queue.stats(QUEUE)).toMatchObject({ active: 0, waiting: 1 })
    expect(deliveries).toEqual([])
    const { delivery, end } = await consume().next()
    expect(delivery.attempt).toBe(1)
    end(ACK)
  })

  test('send in an outage is a problem', async () => {
    handle.close()
    const unavailable = { code: 'unavailable', status: 503, message: 'The queue cannot be reached right now.' }
    await expect(queue.send(newMessage())).rejects.toMatchObject(unavailable)
    await expect(queue.stats(QUEUE)).rejects.toMatchObject(unavailable)
  })

  test('the settling delivery ignores the backoff, the one before it does not', async () => {
    const { next } = consume(queue, { ...OPTIONS, maxAttempts: 2, backoff: NEVER })
    await queue.send(newMessage())
    ;(await next()).end(retry())
    await expect.poll(async () => (await queue.stats(QUEUE)).delayed, { interval: 2 }).toBe(1)
  })

  test('of dead letters the newest are kept, up to a limit', async () => {
    handle.relaxed
      .prepare(
        `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
         INSERT INTO dead_letters (queue, letter) SELECT ?, '{}' FROM n`,
      )
      .run(DEAD_LETTERS_KEPT, `${QUEUE}-dead`)
    const { next, consumer } = consume()
    await queue.send(newMessage())
    const { delivery, end } = await next()
    end(DEAD)
    await consumer.idle()
    expect(await queue.stats(QUEUE)).toMatchObject({ dead: DEAD_LETTERS_KEPT })
    expect(await queue.deadLetters(QUEUE, 1)).toMatchObject([{ message: delivery.message }])
  })

  test('taking and counting use the index', () => {
    const plans = [
      'SELECT seq, message, failures FROM queue_messages WHERE queue = ? AND ready_at <= ? ORDER BY ready_at, seq LIMIT ?',
      'SELECT count(lease) FROM queue_messages WHERE queue = ? AND ready_at > ?',
    ].map((text) =>
      handle.relaxed.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...(text.includes('LIMIT') ? ['q', 1, 1] : ['q', 1])),
    )
    for (const plan of plans) {
      expect(plan).toHaveLength(1)
      expect(plan[0]!['detail']).toMatch(/^SEARCH queue_messages USING (COVERING )?INDEX queue_messages_by_time/)
    }
  })
})
