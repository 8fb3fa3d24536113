/** A URL that takes a file without us: as many bytes as were signed, and once. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { MINUTE_MS } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { uploadKey } from '#shared/variant.ts'
import type { OpenBlobStore } from '../blobs.ts'
import { hashOf, sha256 } from './bytes.ts'

const BYTES = 5_000

async function put(url: string, bytes: Uint8Array, headers: Record<string, string>): Promise<number> {
  const response = await fetch(url, { method: 'PUT', body: new Uint8Array(bytes), headers })
  await response.body?.cancel()
  return response.status
}

/** Of a store into which there is no way but through put. */
export function presigningNothing(open: () => Promise<OpenBlobStore>): void {
  it('presigns nothing', async () => {
    await using store = await open()
    const limit = { bytes: BYTES, expiresAt: Date.now() + MINUTE_MS }
    expect(await store.blobs.presign(uploadKey(newTaskId()), limit)).toBeNull()
    expect(await store.blobs.listTasks('', 10)).toEqual([])
  })
}

export function presigning(open: () => Promise<OpenBlobStore>): void {
  describe('a presigned URL', () => {
    const presigned = async ({ blobs }: OpenBlobStore, key = uploadKey(newTaskId())) => ({
      key,
      ...(await blobs.presign(key, { bytes: BYTES, expiresAt: Date.now() + MINUTE_MS }))!,
    })

    it('takes a file of the signed length, and no second one', async () => {
      await using store = await open()
      const { key, url, headers } = await presigned(store)
      const [content, other] = [randomBytes(BYTES), randomBytes(BYTES)]
      // It could only be that of no bytes, and of all services only some would refuse the file for it.
      expect(url).not.toMatch(/checksum/i)
      expect(await put(url, content, headers)).toBe(200)
      expect(await put(url, other, headers)).toBe(412)
      expect(await hashOf(await store.blobs.get(key))).toBe(sha256(content))
    })

    it('takes it whatever the sender calls it', async () => {
      await using store = await open()
      const { key, url, headers } = await presigned(store)
      expect(await put(url, randomBytes(BYTES), { ...headers, 'content-type': 'image/jpeg' })).toBe(200)
      expect(await store.blobs.get(key).then((blob) => blob?.body.cancel().then(() => blob.bytes))).toBe(BYTES)
    })

    it('takes no other length, no file of another name, none without the condition, and no other method', async () => {
      await using store = await open()
      const { key, url, headers } = await presigned(store)
      const other = uploadKey(newTaskId())
      const content = randomBytes(BYTES)
      expect(await put(url, content.subarray(1), headers)).toBe(403)
      expect(await put(url, Buffer.concat([content, content]), headers)).toBe(403)
      expect(await put(url, content, {})).toBe(403)
      expect(await put(url.replace(key, other), content, headers)).toBe(403)
      expect((await fetch(url, { headers })).status).toBe(403)
      for (const each of [key, other]) expect(await store.blobs.get(each)).toBeNull()
    })

    it('takes nothing once its time is over', async () => {
      await using store = await open()
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 2 * MINUTE_MS })
      const { key, url, headers } = await presigned(store).finally(() => vi.useRealTimers())
      expect(await put(url, randomBytes(BYTES), headers)).toBe(403)
      expect(await store.blobs.get(key)).toBeNull()
    })

    it('takes no place that is taken', async () => {
      await using store = await open()
      const key = uploadKey(newTaskId())
      const content = randomBytes(BYTES)
      await store.blobs.put(key, content)
      const { url, headers } = await presigned(store, key)
      expect(await put(url, randomBytes(BYTES), headers)).toBe(412)
      expect(await hashOf(await store.blobs.get(key))).toBe(sha256(content))
    })
  })
}
