/** Names that are none: a path out of the store cannot be spelled. */
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { newTaskId } from '#shared/task.ts'
import { originalKey, type BlobKey } from '#shared/variant.ts'
import type { OpenBlobStore } from '../blobs.ts'

const ID = '0199a0b0-0000-7000-8000-000000000000'
const STRANGE_KEYS = [
  '',
  'input',
  `input/${ID}`,
  `input/${ID}/`,
  `input/${ID}/original`,
  `input/${ID}/../original.jpg`,
  `input/../${ID}/original.jpg`,
  `../input/${ID}/original.jpg`,
  `/input/${ID}/original.jpg`,
  `input/${ID}/a/b.jpg`,
  `input/${ID}/..jpg`,
  `input/${ID}/.tmp-1.jpg`,
  `input/${ID}/original.jpg/`,
  `input/${ID}/original.jpg\n`,
  `input/${ID}/original.jpg\0`,
  `input/${ID}/original.svg`,
  `input/${ID}/ORIGINAL.jpg`,
  `input/${ID.toUpperCase()}/original.jpg`,
  `input\\${ID}\\original.jpg`,
  `other/${ID}/original.jpg`,
  `input/%2e%2e/original.jpg`,
  `input/${ID}/original.json`,
  `input/${ID}/upload.bin\n`,
  `output/${ID}/upload.bin`,
  `output/${ID}/upload.json`,
]
const STRANGE_IDS = ['', '.', '..', '../..', `${ID}/..`, `${ID}/`, ID.toUpperCase(), `${ID}\0`, ID.replace('-7', '-4')]

export function naming(open: () => Promise<OpenBlobStore>): void {
  it.each(STRANGE_KEYS)('refuses the key %j everywhere', async (text) => {
    await using store = await open()
    const key = text as BlobKey
    const good = originalKey(newTaskId(), 'jpeg')
    await expect(store.blobs.put(key, randomBytes(1))).rejects.toThrow(TypeError)
    await expect(store.blobs.get(key)).rejects.toThrow(TypeError)
    await expect(store.blobs.asFile(key)).rejects.toThrow(TypeError)
    await expect(store.blobs.copy(key, good)).rejects.toThrow(TypeError)
    await expect(store.blobs.copy(good, key)).rejects.toThrow(TypeError)
    await expect(store.blobs.presign(key, { bytes: 1, expiresAt: Date.now() + 1_000 })).rejects.toThrow(TypeError)
    await expect(store.blobs.delete(key)).rejects.toThrow(TypeError)
  })

  it.each(STRANGE_IDS)('refuses the task id %j everywhere', async (id) => {
    await using store = await open()
    await expect(store.blobs.deleteTask(id)).rejects.toThrow(TypeError)
    await expect(store.blobs.tidy(id, Date.now())).rejects.toThrow(TypeError)
  })
}
