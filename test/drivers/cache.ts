/** What every cache does, whichever driver it is. */
import { describe, expect, it } from 'vitest'
import type { Cache } from '#shared/bindings.ts'
import { MINUTE_MS } from '#shared/limits.ts'

export interface OpenCache extends AsyncDisposable {
  cache: Cache
}

/** `open` gives an empty cache of its own at each call. */
export function describeCache(name: string, open: () => Promise<OpenCache>): void {
  describe(`cache: ${name}`, () => {
    it.each([[{ a: [1, 'two', null, { b: true }] }], ['text'], [0], [false], [null], [[]]])(
      'gives %j back',
      async (value) => {
        await using opened = await open()
        await opened.cache.set('key', value, MINUTE_MS)
        expect(await opened.cache.get('key')).toEqual(value)
      },
    )

    it('is undefined for what is not there', async () => {
      await using opened = await open()
      await opened.cache.set('key', 1, MINUTE_MS)
      expect(await opened.cache.get('other')).toBeUndefined()
    })

    it('sets over what is there, and adds only where nothing is', async () => {
      await using opened = await open()
      await opened.cache.add('key', 'first', MINUTE_MS)
      await opened.cache.add('key', 'second', MINUTE_MS)
      expect(await opened.cache.get('key')).toBe('first')
      await opened.cache.set('key', 'tombstone', MINUTE_MS)
      await opened.cache.add('key', 'late', MINUTE_MS)
      expect(await opened.cache.get('key')).toBe('tombstone')
    })

    it('does not add where null or false is', async () => {
      await using opened = await open()
      for (const value of [null, false, 0, '']) {
        await opened.cache.set('key', value, MINUTE_MS)
        await opened.cache.add('key', 'late', MINUTE_MS)
        expect(await opened.cache.get('key')).toBe(value)
      }
    })

    it('forgets after the time to live, and takes another then', async () => {
      await using opened = await open()
      await opened.cache.set('short', 1, 5)
      await opened.cache.set('long', 1, MINUTE_MS)
      await expect.poll(() => opened.cache.get('short')).toBeUndefined()
      await opened.cache.add('short', 2, MINUTE_MS)
      expect(await opened.cache.get('short')).toBe(2)
      expect(await opened.cache.get('long')).toBe(1)
    })

    it('holds nothing whose time is over before it begins', async () => {
      await using opened = await open()
      for (const ttlMs of [0, -1]) {
        await opened.cache.set('key', 1, MINUTE_MS)
        await opened.cache.set('key', 2, ttlMs)
        expect(await opened.cache.get('key')).toBeUndefined()
        await opened.cache.add('key', 3, ttlMs)
        expect(await opened.cache.get('key')).toBeUndefined()
      }
    })

    it('takes a fraction of a millisecond', async () => {
      await using opened = await open()
      await opened.cache.set('key', 1, 60_000.5)
      expect(await opened.cache.get('key')).toBe(1)
    })

    it('keeps what it was given, whatever becomes of the object', async () => {
      await using opened = await open()
      const value = { list: [1] }
      await opened.cache.set('key', value, MINUTE_MS)
      value.list.push(2)
      expect(await opened.cache.get('key')).toEqual({ list: [1] })
      const read = (await opened.cache.get('key')) as typeof value
      try {
        read.list.push(3)
      } catch {
        // A driver may hand out what cannot be changed.
      }
      expect(await opened.cache.get('key')).toEqual({ list: [1] })
    })
  })
}
