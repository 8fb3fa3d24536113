/** Reading and copying. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { newTaskId } from '#shared/task.ts'
import { originalKey } from '#shared/variant.ts'
import type { OpenBlobStore } from '../blobs.ts'
import { hashOf, MANY_BYTES, sha256 } from './bytes.ts'

export function reading(open: () => Promise<OpenBlobStore>): void {
  describe('get', () => {
    it('is null for what is not there', async () => {
      await using store = await open()
      const id = newTaskId()
      expect(await store.blobs.get(originalKey(id, 'jpeg'))).toBeNull()
      await store.blobs.put(originalKey(id, 'png'), randomBytes(1))
      expect(await store.blobs.get(originalKey(id, 'jpeg'))).toBeNull()
      expect(await store.blobs.asFile(originalKey(id, 'jpeg'))).toBeNull()
    })

    it('tells the size of the whole and the time of its writing', async () => {
      await using store = await open()
      const key = originalKey(newTaskId(), 'gif')
      const before = Date.now()
      await store.blobs.put(key, randomBytes(1_000))
      const blob = (await store.blobs.get(key, { start: 10, end: 19 }))!
      await blob.body.cancel()
      expect(blob.bytes).toBe(1_000)
      expect(Number.isInteger(blob.modifiedAt)).toBe(true)
      // Stores keep whole seconds, some of them.
      expect(blob.modifiedAt).toBeGreaterThan(before - 2_000)
      expect(blob.modifiedAt).toBeLessThan(Date.now() + 2_000)
    })

    it.each([
      ['the first byte', 0, 0],
      ['the last byte', MANY_BYTES - 1, MANY_BYTES - 1],
      ['everything', 0, MANY_BYTES - 1],
      ['over the edge of a read', 65_530, 65_541],
      ['exactly one read', 65_536, 131_071],
      ['one byte more than a read', 65_536, 131_072],
      ['to an end beyond the file', MANY_BYTES - 10, MANY_BYTES + 10],
    ])('reads a range: %s', async (_what, start, end) => {
      await using store = await open()
      const key = originalKey(newTaskId(), 'avif')
      const content = randomBytes(MANY_BYTES)
      await store.blobs.put(key, content)
      expect(await hashOf(await store.blobs.get(key, { start, end }))).toBe(sha256(content.subarray(start, end + 1)))
    })

    it('goes on to the end though the file is deleted meanwhile', async () => {
      await using store = await open()
      const id = newTaskId()
      const content = randomBytes(MANY_BYTES)
      await store.blobs.put(originalKey(id, 'jpeg'), content)
      const blob = await store.blobs.get(originalKey(id, 'jpeg'))
      await store.blobs.deleteTask(id)
      expect(await hashOf(blob)).toBe(sha256(content))
    })

    it('can be cancelled before, while and after it is read', async () => {
      await using store = await open()
      const key = originalKey(newTaskId(), 'jpeg')
      await store.blobs.put(key, randomBytes(MANY_BYTES))
      await (await store.blobs.get(key))!.body.cancel()
      const reader = (await store.blobs.get(key))!.body.getReader()
      await reader.read()
      const [pending] = await Promise.all([reader.read(), reader.cancel()])
      expect(pending.done).toBe(true)
      const whole = (await store.blobs.get(key))!
      for await (const chunk of whole.body) expect(chunk.byteLength).toBeGreaterThan(0)
      await whole.body.cancel()
    })

    it('has a path for a native library', async () => {
      await using store = await open()
      const key = originalKey(newTaskId(), 'jpeg')
      const content = randomBytes(MANY_BYTES)
      await store.blobs.put(key, content)
      await using file = await store.blobs.asFile(key)
      expect(sha256(await readFile(file!.path))).toBe(sha256(content))
    })
  })
}

export function copying(open: () => Promise<OpenBlobStore>): void {
  describe('copy', () => {
    it('makes a second file that each outlives the other', async () => {
      await using store = await open()
      const [from, to, third] = [newTaskId(), newTaskId(), newTaskId()].map((id) => originalKey(id, 'jpeg'))
      const content = randomBytes(MANY_BYTES)
      await store.blobs.put(from!, content)
      expect(await store.blobs.copy(from!, to!)).toBe(true)
      expect(await store.blobs.copy(to!, third!)).toBe(true)
      await store.blobs.delete(from!)
      expect(await hashOf(await store.blobs.get(to!))).toBe(sha256(content))
      await store.blobs.delete(to!)
      expect(await hashOf(await store.blobs.get(third!))).toBe(sha256(content))
    })

    it('is false when there is nothing to copy, and leaves nothing', async () => {
      await using store = await open()
      expect(await store.blobs.copy(originalKey(newTaskId(), 'jpeg'), originalKey(newTaskId(), 'jpeg'))).toBe(false)
      expect(await store.blobs.listTasks('', 10)).toEqual([])
    })

    it('leaves what is there', async () => {
      await using store = await open()
      const [from, to] = [originalKey(newTaskId(), 'jpeg'), originalKey(newTaskId(), 'jpeg')]
      await store.blobs.put(from, randomBytes(100))
      const content = randomBytes(200)
      await store.blobs.put(to, content)
      expect(await store.blobs.copy(from, to)).toBe(true)
      expect(await hashOf(await store.blobs.get(to))).toBe(sha256(content))
    })
  })
}
