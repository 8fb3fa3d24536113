/** Writing: complete or not at all, the first one wins. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { newTaskId } from '#shared/task.ts'
import { originalKey, variantKey, type BlobKey } from '#shared/variant.ts'
import type { OpenBlobStore } from '../blobs.ts'
import { bytesOf, chunked, gated, hashOf, MANY_BYTES, sha256 } from './bytes.ts'

/** Reads again and again until the signal aborts. */
async function hashesSeen({ blobs }: OpenBlobStore, key: BlobKey, signal: AbortSignal): Promise<Set<string>> {
  const seen = new Set<string>()
  while (!signal.aborted) {
    const bytes = await bytesOf(await blobs.get(key))
    if (bytes !== null) seen.add(sha256(bytes))
  }
  return seen
}

export function putting(open: () => Promise<OpenBlobStore>): void {
  describe('put', () => {
    it.each([
      ['nothing', 0, 1],
      ['one byte', 1, 1],
      ['a chunk', 65_536, 65_536],
      ['many small chunks', MANY_BYTES, 1_021],
      ['few large chunks', MANY_BYTES, 200_000],
    ])('stores %s and describes it', async (_what, bytes, chunkBytes) => {
      await using store = await open()
      const key = originalKey(newTaskId(), 'jpeg')
      const content = randomBytes(bytes)
      const stored = await store.blobs.put(key, chunked(content, chunkBytes))
      expect(stored).toEqual({ key, bytes, sha256: sha256(content), created: true })
      expect(await hashOf(await store.blobs.get(key))).toBe(sha256(content))
    })

    it('takes a whole array', async () => {
      await using store = await open()
      const key = variantKey(newTaskId(), '800x800', 'webp')
      const content = randomBytes(MANY_BYTES)
      expect(await store.blobs.put(key, content)).toMatchObject({ bytes: MANY_BYTES, sha256: sha256(content) })
      expect(await hashOf(await store.blobs.get(key))).toBe(sha256(content))
    })

    it('keeps the first write, and describes it to the second', async () => {
      await using store = await open()
      const key = variantKey(newTaskId(), 'thumb', 'jpeg')
      const first = await store.blobs.put(key, randomBytes(MANY_BYTES))
      const second = await store.blobs.put(key, randomBytes(10))
      expect(second).toEqual({ ...first, created: false })
      expect(sha256((await bytesOf(await store.blobs.get(key)))!)).toBe(first.sha256)
    })

    it('lets one of many writers create it, and no reader see part of any', async () => {
      await using store = await open()
      const key = variantKey(newTaskId(), 'thumb', 'jpeg')
      const contents = Array.from({ length: 12 }, (_, index) => randomBytes(70_000 + index))
      const hashes = new Set(contents.map((content) => sha256(content)))
      const ended = new AbortController()
      const reading = hashesSeen(store, key, ended.signal)
      const results = await Promise.all(contents.map((content) => store.blobs.put(key, chunked(content, 10_000))))
      ended.abort()
      for (const seen of await reading) expect(hashes).toContain(seen)
      expect(results.filter(({ created }) => created)).toHaveLength(1)
      const winner = results.find(({ created }) => created)!
      for (const result of results) expect(result.sha256).toBe(winner.sha256)
      expect(sha256((await bytesOf(await store.blobs.get(key)))!)).toBe(winner.sha256)
    })

    it('shows nothing under the key until it is complete', async () => {
      await using store = await open()
      const key = originalKey(newTaskId(), 'png')
      const { source, reached, open: go } = gated(randomBytes(MANY_BYTES))
      const put = store.blobs.put(key, source)
      await reached
      expect(await store.blobs.get(key)).toBeNull()
      expect(await store.blobs.asFile(key)).toBeNull()
      go()
      await put
      expect((await bytesOf(await store.blobs.get(key)))?.byteLength).toBe(2 * MANY_BYTES)
    })

    it('rejects with the error of its source, and leaves nothing', async () => {
      await using store = await open()
      const id = newTaskId()
      const broken = new Error('the connection broke')
      async function* source(): AsyncGenerator<Uint8Array> {
        yield randomBytes(MANY_BYTES)
        throw broken
      }
      await expect(store.blobs.put(originalKey(id, 'jpeg'), source())).rejects.toBe(broken)
      expect(await store.blobs.get(originalKey(id, 'jpeg'))).toBeNull()
      expect(await store.blobs.listTasks('', 10)).toEqual([])
    })
  })
}

export function aborting(open: () => Promise<OpenBlobStore>): void {
  describe('an aborted put', () => {
    it('does not begin when the signal has aborted before', async () => {
      await using store = await open()
      const key = originalKey(newTaskId(), 'jpeg')
      const reason = new Error('too late')
      await expect(store.blobs.put(key, randomBytes(10), AbortSignal.abort(reason))).rejects.toBe(reason)
      expect(await store.blobs.get(key)).toBeNull()
    })

    it('ends at once though its source is stuck, tells the source, and leaves nothing', async () => {
      await using store = await open()
      const id = newTaskId()
      const { source, reached, open: go, closed } = gated(randomBytes(MANY_BYTES))
      const abort = new AbortController()
      const put = store.blobs.put(originalKey(id, 'jpeg'), source, abort.signal)
      await reached
      const reason = new Error('the client left')
      abort.abort(reason)
      await expect(put).rejects.toBe(reason)
      expect(await store.blobs.get(originalKey(id, 'jpeg'))).toBeNull()
      expect(await store.blobs.listTasks('', 10)).toEqual([])
      go()
      await expect.poll(closed).toBe(true)
    })

    it('never appears when the signal aborts with the last byte', async () => {
      await using store = await open()
      const key = originalKey(newTaskId(), 'jpeg')
      const abort = new AbortController()
      async function* source(): AsyncGenerator<Uint8Array> {
        yield randomBytes(100)
        abort.abort(new Error('at the end'))
      }
      await expect(store.blobs.put(key, source(), abort.signal)).rejects.toThrow('at the end')
      expect(await store.blobs.get(key)).toBeNull()
    })

    it('leaves the other files of the task alone', async () => {
      await using store = await open()
      const id = newTaskId()
      await store.blobs.put(variantKey(id, 'a', 'jpeg'), randomBytes(10))
      const { source, reached, open: go } = gated(randomBytes(10))
      const abort = new AbortController()
      const put = store.blobs.put(variantKey(id, 'b', 'jpeg'), source, abort.signal)
      await reached
      abort.abort(new Error('the client left'))
      await expect(put).rejects.toThrow('the client left')
      go()
      expect(await bytesOf(await store.blobs.get(variantKey(id, 'a', 'jpeg')))).toHaveLength(10)
    })
  })
}
