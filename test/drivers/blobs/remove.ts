/** Deleting and listing. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { newTaskId } from '#shared/task.ts'
import { type BlobKey, originalKey, uploadKey, uploadTermsKey, variantKey } from '#shared/variant.ts'
import type { OpenBlobStore } from '../blobs.ts'
import { bytesOf, chunked, gated, MANY_BYTES } from './bytes.ts'

/** Sources of the same bytes, and the moment when `chunks` of all of them together were taken. */
function countdown(content: Uint8Array, chunkBytes: number, chunks: number) {
  const { promise: passed, resolve } = Promise.withResolvers<void>()
  let left = chunks
  async function* source(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunked(content, chunkBytes)) {
      if (left-- <= 0) resolve()
      yield chunk
    }
  }
  return { source, passed }
}

export function deleting(open: () => Promise<OpenBlobStore>): void {
  describe('deletion', () => {
    it('takes one file, and is content when there is none', async () => {
      await using store = await open()
      const id = newTaskId()
      await store.blobs.put(variantKey(id, 'a', 'jpeg'), randomBytes(1))
      await store.blobs.put(variantKey(id, 'b', 'jpeg'), randomBytes(1))
      await store.blobs.delete(variantKey(id, 'a', 'jpeg'))
      await store.blobs.delete(variantKey(id, 'a', 'jpeg'))
      await store.blobs.delete(variantKey(newTaskId(), 'a', 'jpeg'))
      expect(await store.blobs.get(variantKey(id, 'a', 'jpeg'))).toBeNull()
      expect(await bytesOf(await store.blobs.get(variantKey(id, 'b', 'jpeg')))).toHaveLength(1)
    })

    it('takes a task whole, and no other task', async () => {
      await using store = await open()
      const [one, other] = [newTaskId(), newTaskId()]
      for (const id of [one, other]) {
        await store.blobs.put(originalKey(id, 'jpeg'), randomBytes(1))
        await store.blobs.put(variantKey(id, 'a', 'jpeg'), randomBytes(1))
        await store.blobs.put(variantKey(id, 'b', 'webp'), randomBytes(1))
      }
      await store.blobs.deleteTask(one)
      await store.blobs.deleteTask(one)
      expect(await store.blobs.get(variantKey(one, 'b', 'webp'))).toBeNull()
      expect(await store.blobs.get(originalKey(one, 'jpeg'))).toBeNull()
      expect(await store.blobs.listTasks('', 10)).toEqual([other])
      expect(await bytesOf(await store.blobs.get(variantKey(other, 'b', 'webp')))).toHaveLength(1)
    })

    it('during puts gives complete files or clean errors', async () => {
      await using store = await open()
      for (let round = 0; round < 60; round++) {
        const id = newTaskId()
        const content = randomBytes(1_000)
        const keys = ['a', 'b', 'c'].map((name) => variantKey(id, name, 'jpeg'))
        const { source, passed } = countdown(content, 100, round % 12)
        const puts = Promise.allSettled(keys.map((key) => store.blobs.put(key, source())))
        await passed
        await store.blobs.deleteTask(id)
        const errors = (await puts).flatMap((put) => (put.status === 'rejected' ? [put.reason] : []))
        for (const error of errors) expect(error).toMatchObject({ code: 'unavailable' })
        const there = await Promise.all(keys.map(async (key) => bytesOf(await store.blobs.get(key))))
        for (const bytes of there.filter((bytes) => bytes !== null)) expect(bytes).toEqual(content)
      }
    })
  })
}

/** More than the clocks of a store and of its users are apart. */
const APART_MS = 60_000

export function tidying(open: () => Promise<OpenBlobStore>): void {
  describe('tidying', () => {
    it('takes what a put left that never came to its end, and nothing that is finished', async () => {
      await using store = await open()
      const [id, other] = [newTaskId(), newTaskId()]
      await store.blobs.put(originalKey(other, 'jpeg'), randomBytes(10))
      await store.blobs.put(variantKey(other, 'a', 'jpeg'), randomBytes(20))
      const dead = new AbortController()
      const keys = [originalKey(id, 'jpeg'), variantKey(id, 'a', 'jpeg'), variantKey(other, 'b', 'jpeg')]
      const sources = keys.map(() => gated(randomBytes(MANY_BYTES)))
      const puts = keys.map((key, at) => store.blobs.put(key, sources[at]!.source, dead.signal))
      const ended = Promise.allSettled(puts)
      await Promise.all(sources.map(({ reached }) => reached))
      for (const one of [id, other]) await store.blobs.tidy(one, Date.now() + APART_MS)
      expect(await store.blobs.listTasks('', 10)).toEqual([other])
      expect(await bytesOf(await store.blobs.get(originalKey(other, 'jpeg')))).toHaveLength(10)
      expect(await bytesOf(await store.blobs.get(variantKey(other, 'a', 'jpeg')))).toHaveLength(20)
      dead.abort()
      for (const { open: go } of sources) go()
      await ended
    })

    it('leaves a put alone that something was added to since', async () => {
      await using store = await open()
      const key = originalKey(newTaskId(), 'jpeg')
      const { source, reached, open: go } = gated(randomBytes(MANY_BYTES))
      const put = store.blobs.put(key, source)
      await reached
      await store.blobs.tidy(key.split('/')[1]!, Date.now() - APART_MS)
      go()
      expect(await put).toMatchObject({ created: true, bytes: 2 * MANY_BYTES })
    })

    it('removes what was uploaded and not taken of an id that is old enough, and no picture', async () => {
      await using store = await open()
      const [old, young, bare] = [newTaskId(Date.now() - APART_MS), newTaskId(), newTaskId(Date.now() - APART_MS - 1)]
      const keysOf = (id: string): BlobKey[] => [uploadKey(id), uploadTermsKey(id)]
      for (const key of [old, young, bare].flatMap(keysOf)) await store.blobs.put(key, randomBytes(10))
      await store.blobs.put(originalKey(old, 'jpeg'), randomBytes(20))
      for (const id of [old, young, bare]) await store.blobs.tidy(id, Date.now() - APART_MS / 2)
      expect(await store.blobs.listTasks('', 10)).toEqual([old, young])
      for (const key of keysOf(old)) expect(await store.blobs.get(key)).toBeNull()
      for (const key of keysOf(young)) expect(await bytesOf(await store.blobs.get(key))).toHaveLength(10)
      expect(await bytesOf(await store.blobs.get(originalKey(old, 'jpeg')))).toHaveLength(20)
    })

    it('is content where there is nothing', async () => {
      await using store = await open()
      await store.blobs.tidy(newTaskId(), Date.now())
      expect(await store.blobs.listTasks('', 10)).toEqual([])
    })
  })
}

export function listing(open: () => Promise<OpenBlobStore>): void {
  it('lists tasks with files of either kind, once, in id order, page by page', async () => {
    await using store = await open()
    const ids = Array.from({ length: 25 }, (_, index) => newTaskId(1_700_000_000_000 + index * 1_000))
    for (const [index, id] of ids.toReversed().entries()) {
      if (index % 3 !== 0) await store.blobs.put(originalKey(id, 'jpeg'), randomBytes(1))
      if (index % 3 !== 1) await store.blobs.put(variantKey(id, 'a', 'jpeg'), randomBytes(1))
    }
    expect(await store.blobs.listTasks('', 100)).toEqual(ids)
    expect(await store.blobs.listTasks('', 4)).toEqual(ids.slice(0, 4))
    expect(await store.blobs.listTasks(ids[3]!, 4)).toEqual(ids.slice(4, 8))
    expect(await store.blobs.listTasks(ids[22]!, 4)).toEqual(ids.slice(23))
    expect(await store.blobs.listTasks(ids[24]!, 4)).toEqual([])
    expect(await store.blobs.listTasks('', 0)).toEqual([])
  })

  it('lists nothing of an empty store', async () => {
    await using store = await open()
    expect(await store.blobs.listTasks('', 10)).toEqual([])
  })
}
