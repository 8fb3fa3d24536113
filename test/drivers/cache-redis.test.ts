/** The shared cache while Redis is away, slow or full: a miss, never an error, and never a task that was deleted. */
import { describe, expect, test } from 'vitest'
import { MINUTE_MS } from '#shared/limits.ts'
import { redisCache } from '../../runtime/drivers/cache/redis.ts'
import type { OwnServer } from '../servers/own.ts'
import { hasOwnRedis, ownRedis, redisServer } from '../servers/redis.ts'
import { testRedis, type TestRedis } from './redis-kit.ts'

const TOMBSTONE = { deleted: true }
const url = await redisServer()

interface Opened extends TestRedis {
  cache: ReturnType<typeof redisCache>
}

async function open(from: string, prefix?: string): Promise<Opened> {
  const opened = await testRedis(from, prefix)
  const cache = redisCache(opened)
  return {
    ...opened,
    cache,
    async [Symbol.asyncDispose]() {
      cache.close()
      await opened[Symbol.asyncDispose]()
    },
  }
}

/** The keys that Redis is asked for from now on. */
async function sentGets({ redis }: TestRedis): Promise<unknown[]> {
  const sent: unknown[] = []
  const aside = await redis.aside()
  const get = aside.get.bind(aside)
  aside.get = (key: string) => {
    sent.push(key)
    return get(key)
  }
  return sent
}

describe.skipIf(url === null)('with a Redis', () => {
  test('processes share it', async () => {
    await using one = await open(url!)
    await using other = await open(url!, one.prefix)
    await one.cache.add('key', 'task', MINUTE_MS)
    expect(await other.cache.get('key')).toBe('task')
    await other.cache.set('key', TOMBSTONE, MINUTE_MS)
    await one.cache.add('key', 'task', MINUTE_MS)
    expect(await one.cache.get('key')).toEqual(TOMBSTONE)
  })

  test('those who ask for the same at once are answered by one reading', async () => {
    await using opened = await open(url!)
    await opened.cache.set('key', [1], MINUTE_MS)
    const sent = await sentGets(opened)
    expect(await Promise.all(Array.from({ length: 10 }, () => opened.cache.get('key')))).toEqual(
      Array.from({ length: 10 }, () => [1]),
    )
    expect(sent).toHaveLength(1)
    await opened.cache.get('key')
    expect(sent).toHaveLength(2)
  })

  test('whoever asks after a set is answered with it, though a reading is under way', async () => {
    await using opened = await open(url!)
    await opened.cache.set('key', 'old', MINUTE_MS)
    const early = opened.cache.get('key')
    const set = opened.cache.set('key', TOMBSTONE, MINUTE_MS)
    expect(await opened.cache.get('key')).toEqual(TOMBSTONE)
    await Promise.all([early, set])
  })

  test('what is no JSON is a miss', async () => {
    await using opened = await open(url!)
    await opened.client.set(`${opened.prefix}key`, '{"half":')
    expect(await opened.cache.get('key')).toBeUndefined()
  })
})

describe.skipIf(!hasOwnRedis())('a Redis of its own', () => {
  const back = (server: OwnServer, how: 'kill' | 'freeze'): Promise<void> | void =>
    how === 'kill' ? server.start() : server.thaw()

  test('that was never there: everything is a miss', async () => {
    await using server = (await ownRedis())!
    await server.kill()
    await using opened = await open(server.uri)
    await opened.cache.add('key', 1, MINUTE_MS)
    expect(await opened.cache.get('key')).toBeUndefined()
    await server.start()
    await expect
      .poll(async () => {
        await opened.cache.add('key', 1, MINUTE_MS)
        return await opened.cache.get('key')
      })
      .toBe(1)
  })

  test.each(['kill', 'freeze'] as const)('%s: a miss, and once it is back a hit', async (how) => {
    await using server = (await ownRedis())!
    await using opened = await open(server.uri)
    await opened.cache.set('key', 1, MINUTE_MS)
    await server[how]()
    expect(await opened.cache.get('key')).toBeUndefined()
    await opened.cache.add('other', 1, MINUTE_MS)
    await back(server, how)
    await expect.poll(() => opened.cache.get('key')).toBe(1)
  })

  test('silent, it keeps the first waiting, and for a while nobody else', async () => {
    await using server = (await ownRedis())!
    await using opened = await open(server.uri)
    const sent = await sentGets(opened)
    server.freeze()
    for (let i = 0; i < 20; i++) expect(await opened.cache.get(`key-${i}`)).toBeUndefined()
    expect(sent).toHaveLength(1)
    server.thaw()
  })

  test.each(['kill', 'freeze'] as const)(
    '%s: a deletion is known at once here, and elsewhere when it is back',
    async (how) => {
      await using server = (await ownRedis())!
      await using one = await open(server.uri)
      await using other = await open(server.uri, one.prefix)
      await one.cache.set('key', 'task', MINUTE_MS)
      await server[how]()
      await one.cache.set('key', TOMBSTONE, MINUTE_MS)
      expect(await one.cache.get('key')).toEqual(TOMBSTONE)
      await back(server, how)
      await expect.poll(() => other.cache.get('key')).toEqual(TOMBSTONE)
      await other.cache.add('key', 'task', MINUTE_MS)
      expect(await other.cache.get('key')).toEqual(TOMBSTONE)
    },
  )

  test('out of memory: what is there is read, and what was deleted is not', async () => {
    await using server = (await ownRedis(['--maxmemory-policy', 'noeviction']))!
    await using one = await open(server.uri)
    await using other = await open(server.uri, one.prefix)
    await one.cache.set('kept', 'task', MINUTE_MS)
    await one.cache.set('deleted', 'task', MINUTE_MS)
    await one.client.config('SET', 'maxmemory', '1')
    await one.cache.add('more', 1, MINUTE_MS)
    expect(await one.cache.get('more')).toBeUndefined()
    for (const { cache } of [one, other]) expect(await cache.get('kept')).toBe('task')
    await one.cache.set('deleted', TOMBSTONE, MINUTE_MS)
    expect(await one.cache.get('deleted')).toEqual(TOMBSTONE)
    expect(await other.cache.get('deleted')).toBeUndefined()
    await one.client.config('SET', 'maxmemory', '0')
    await expect.poll(() => other.cache.get('deleted')).toEqual(TOMBSTONE)
  })
})
