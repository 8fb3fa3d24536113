import { expect, it } from 'vitest'
import { MINUTE_MS } from '#shared/limits.ts'
import { memoryCache } from './memory.ts'

it('holds no more entries than it may, and drops the one used longest ago', async () => {
  const cache = memoryCache({ maxEntries: 3 })
  for (const key of ['a', 'b', 'c']) await cache.set(key, key, MINUTE_MS)
  await cache.get('a')
  await cache.set('d', 'd', MINUTE_MS)
  expect(await Promise.all(['a', 'b', 'c', 'd'].map((key) => cache.get(key)))).toEqual(['a', undefined, 'c', 'd'])
})

it('holds no more bytes than it may: keys, and values as JSON', async () => {
  const cache = memoryCache({ maxEntries: 3, maxBytes: 16 })
  const text = 'x'.repeat(5)
  for (const key of ['a', 'b']) await cache.set(key, text, MINUTE_MS)
  expect(await Promise.all(['a', 'b'].map((key) => cache.get(key)))).toEqual([text, text])
  await cache.set('a', `${text}x`, MINUTE_MS)
  expect(await Promise.all(['a', 'b'].map((key) => cache.get(key)))).toEqual([`${text}x`, undefined])
})

it('that cannot hold a value forgets the one before it, and keeps the others', async () => {
  const cache = memoryCache({ maxEntries: 3, maxBytes: 16 })
  await cache.set('other', 1, MINUTE_MS)
  await cache.set('key', 1, MINUTE_MS)
  await cache.set('key', 'x'.repeat(12), MINUTE_MS)
  expect(await Promise.all(['key', 'other'].map((key) => cache.get(key)))).toEqual([undefined, 1])
})

it('hands out what no reader can change for the next', async () => {
  const cache = memoryCache({ maxEntries: 3 })
  await cache.set('key', { deep: { list: [1] } }, MINUTE_MS)
  const read = (await cache.get('key')) as { deep: { list: number[] } }
  expect(() => read.deep.list.push(2)).toThrow(TypeError)
  expect(() => Object.assign(read.deep, { list: [] })).toThrow(TypeError)
})
