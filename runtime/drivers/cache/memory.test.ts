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

it('hands out what no reader can change for the next', async () => {
  const cache = memoryCache({ maxEntries: 3 })
  await cache.set('key', { deep: { list: [1] } }, MINUTE_MS)
  const read = (await cache.get('key')) as { deep: { list: number[] } }
  expect(() => read.deep.list.push(2)).toThrow(TypeError)
  expect(() => Object.assign(read.deep, { list: [] })).toThrow(TypeError)
})
