import { describe, expect, test } from 'vitest'
import { newTaskId } from '#shared/task.ts'
import { redisNotifier } from '../../runtime/drivers/tasks/redis-notifier.ts'
import { hasOwnRedis, ownRedis, redisServer } from '../servers/redis.ts'
import { testRedis, type TestRedis } from './redis-kit.ts'

const url = await redisServer()

interface Opened extends TestRedis {
  notifier: ReturnType<typeof redisNotifier>
  /** How often a change of the task was told since. */
  listen(id: string): Listening
}

interface Listening {
  heard: number
  stop(): void
}

async function open(from: string, prefix?: string): Promise<Opened> {
  const opened = await testRedis(from, prefix)
  const notifier = redisNotifier({ redis: opened.redis, channel: opened.prefix })
  return {
    ...opened,
    notifier,
    listen(id) {
      const listening: Listening = { heard: 0, stop: notifier.subscribe(id, () => listening.heard++) }
      return listening
    },
    async [Symbol.asyncDispose]() {
      notifier.close()
      await opened[Symbol.asyncDispose]()
    },
  }
}

const connected = async ({ notifier }: Opened): Promise<void> => {
  await expect.poll(() => notifier.connected, { interval: 2 }).toBe(true)
}

describe.skipIf(url === null)('with a Redis', () => {
  test('a change is told to every process that waits for this task, its own too, and to no other', async () => {
    await using one = await open(url!)
    await using other = await open(url!, one.prefix)
    const [id, unrelated] = [newTaskId(), newTaskId()]
    const listening = [one.listen(id), one.listen(id), other.listen(id)]
    const elsewhere = other.listen(unrelated)
    await Promise.all([connected(one), connected(other)])
    const before = listening.map(({ heard }) => heard)
    one.notifier.publish(id)
    await expect
      .poll(() => listening.map(({ heard }, i) => heard - before[i]!), { interval: 2 })
      .toEqual(listening.map(() => 1))
    const heard = elsewhere.heard
    one.notifier.publish(unrelated)
    // After it on the same connection: had someone been told of the wrong one, it would be known by now.
    await expect.poll(() => elsewhere.heard, { interval: 2 }).toBe(heard + 1)
    expect(listening.map((each, i) => each.heard - before[i]!)).toEqual(listening.map(() => 1))
  })

  test('who no longer listens is not told, and the others still are, also with the same function', async () => {
    await using one = await open(url!)
    const id = newTaskId()
    const [first, second] = [one.listen(id), one.listen(id)]
    let shared = 0
    const count = (): void => void shared++
    const stops = [one.notifier.subscribe(id, count), one.notifier.subscribe(id, count)]
    await connected(one)
    stops[0]!()
    first.stop()
    first.stop()
    const before = { first: first.heard, second: second.heard, shared }
    one.notifier.publish(id)
    await expect.poll(() => second.heard, { interval: 2 }).toBe(before.second + 1)
    expect([first.heard, shared]).toEqual([before.first, before.shared + 1])
    stops[1]!()
  })

  test('it is not connected before anyone listens; who does is told to look once it is', async () => {
    await using one = await open(url!)
    expect(one.notifier.connected).toBe(false)
    const { heard } = one.listen(newTaskId())
    expect([one.notifier.connected, heard]).toEqual([false, 0])
    const listening = one.listen(newTaskId())
    await connected(one)
    expect(listening.heard).toBe(1)
  })
})

describe.skipIf(!hasOwnRedis())('a Redis that goes away', () => {
  test('was never there: publishing is nothing, and whoever listens is told to poll', async () => {
    await using server = (await ownRedis())!
    await server.kill()
    await using one = await open(server.uri)
    const listening = one.listen(newTaskId())
    one.notifier.publish(newTaskId())
    expect([one.notifier.connected, listening.heard]).toEqual([false, 0])
    await server.start()
    await connected(one)
    expect(listening.heard).toBe(1)
  })

  test.each(['kill', 'freeze'] as const)('%s: it says so, and when it is back everyone looks once', async (how) => {
    await using server = (await ownRedis())!
    await using one = await open(server.uri)
    const id = newTaskId()
    const listening = one.listen(id)
    await connected(one)
    await server[how]()
    await expect.poll(() => one.notifier.connected).toBe(false)
    one.notifier.publish(id)
    const before = listening.heard
    if (how === 'freeze') server.thaw()
    else await server.start()
    await connected(one)
    expect(listening.heard).toBeGreaterThan(before)
    // Publishing has a connection of its own.
    await expect
      .poll(() => {
        one.notifier.publish(id)
        return listening.heard
      })
      .toBeGreaterThan(before + 1)
  })
})
