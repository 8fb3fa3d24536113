/**
 * What the suite of all blob stores does not ask of S3: parts, silence, and what a refusal means. Longer than 250 lines,
 * since all of it needs the same server and bucket.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { BlobStore } from '#shared/bindings.ts'
import { KIB, MIB } from '#shared/limits.ts'
import { newTaskId } from '#shared/task.ts'
import { type BlobKey, originalKey, variantKey } from '#shared/variant.ts'
import { hasClients } from '../../../test/clouds/installed.ts'
import { hasOwnS3, ownS3, s3Server } from '../../../test/servers/s3.ts'
import type { Bucket, S3Options, Timeouts } from './s3-bucket.ts'
import { PART_BYTES, SOCKETS_MAX } from './s3-limits.ts'

const server = hasClients ? await s3Server() : null
const CHUNK = 64 * KIB
/** Three parts, the last of an odd length. */
const LARGE = 2 * PART_BYTES + 3 * CHUNK + 7

function optionsOf({ endpoint, region, bucket, ...credentials }: NonNullable<typeof server>): S3Options {
  return { endpoint, region, bucket, credentials, prefix: `${randomUUID()}/` }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function hashOf(blobs: BlobStore, key: BlobKey): Promise<string | null> {
  const blob = await blobs.get(key)
  return blob && sha256(Buffer.from(await new Response(blob.body).arrayBuffer()))
}

async function* chunked(bytes: Uint8Array, onTaken = (_bytes: number): void => {}): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += CHUNK) {
    onTaken(at)
    yield bytes.subarray(at, at + CHUNK)
  }
}

type Store = BlobStore & { close(): void }

// Late: where the clients are not installed there is nothing to import.
const open = async (options: S3Options): Promise<Store> => (await import('./s3.ts')).s3Blobs(options)

describe.skipIf(!server)('an S3 store', () => {
  const large = randomBytes(LARGE)
  let options: S3Options
  let store: Store
  let bucket: Bucket
  let sdk: typeof import('@aws-sdk/client-s3')

  beforeAll(async () => {
    options = optionsOf(server!)
    store = await open(options)
    bucket = (await import('./s3-bucket.ts')).openBucket(options)
    sdk = await import('@aws-sdk/client-s3')
  })
  afterAll(() => {
    store.close()
    bucket.client.destroy()
  })

  async function uploads(): Promise<string[]> {
    const { client, name, prefix } = bucket
    const { Uploads = [] } = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket: name, Prefix: prefix }))
    return Uploads.map(({ Key }) => Key!.slice(prefix.length))
  }

  /** What a writer leaves that died. */
  async function deadUpload(key: BlobKey): Promise<void> {
    const place = { Bucket: bucket.name, Key: bucket.prefix + key }
    const { UploadId } = await bucket.client.send(new sdk.CreateMultipartUploadCommand(place))
    await bucket.client.send(new sdk.UploadPartCommand({ ...place, UploadId, PartNumber: 1, Body: randomBytes(10) }))
  }

  describe('in parts', () => {
    it.each([
      ['one byte less than a part', PART_BYTES - 1],
      ['exactly a part', PART_BYTES],
      ['one byte more', PART_BYTES + 1],
      ['three parts', LARGE],
    ])('stores %s, in one chunk or many', async (_what, bytes) => {
      const content = large.subarray(0, bytes)
      for (const source of [content, chunked(content)]) {
        const key = originalKey(newTaskId(), 'jpeg')
        expect(await store.put(key, source)).toEqual({ key, bytes, sha256: sha256(content), created: true })
        expect(await hashOf(store, key)).toBe(sha256(content))
        await store.delete(key)
      }
    })

    it('lets the first of many writers create it, and tells the others what is there', async () => {
      const key = originalKey(newTaskId(), 'jpeg')
      const contents = [large, large.subarray(1), large.subarray(0, 100), large.subarray(2)]
      const results = await Promise.all(contents.map((content) => store.put(key, chunked(content))))
      expect(results.filter(({ created }) => created)).toHaveLength(1)
      const { sha256: hash, bytes } = results.find(({ created }) => created)!
      for (const result of results) expect(result).toMatchObject({ sha256: hash, bytes })
      expect(await hashOf(store, key)).toBe(hash)
      expect(await uploads()).toEqual([])
      await store.delete(key)
    })

    it('shows nothing and leaves nothing of one whose source breaks, or that is aborted', async () => {
      const key = originalKey(newTaskId(), 'jpeg')
      const abort = new AbortController()
      const broken = new Error('the connection broke')
      const breaking = chunked(large, (at) => {
        if (at > 2 * PART_BYTES) throw broken
      })
      const aborted = chunked(large, (at) => {
        if (at > 2 * PART_BYTES) abort.abort(new Error('the client left'))
      })
      await expect(store.put(key, breaking)).rejects.toBe(broken)
      await expect(store.put(key, aborted, abort.signal)).rejects.toThrow('the client left')
      expect(await store.get(key)).toBeNull()
      expect(await uploads()).toEqual([])
      expect(await store.listTasks('', 10)).toEqual([])
    })

    it('ends as unavailable when its task is deleted meanwhile, and nothing appears', async () => {
      const key = originalKey(newTaskId(), 'jpeg')
      let deleted: Promise<void> | undefined
      async function* source(): AsyncGenerator<Uint8Array> {
        for await (const chunk of chunked(large)) yield chunk
        deleted ??= store.deleteTask(key.split('/')[1]!)
        await deleted
      }
      await expect(store.put(key, source())).rejects.toMatchObject({ code: 'unavailable' })
      expect(await store.get(key)).toBeNull()
    })
  })

  describe('what a dead writer left', () => {
    it('has its task listed, and goes with it', async () => {
      const id = newTaskId()
      await deadUpload(originalKey(id, 'jpeg'))
      await deadUpload(variantKey(id, 'a', 'jpeg'))
      expect(await store.listTasks('', 10)).toEqual([id])
      await store.deleteTask(id)
      expect(await store.listTasks('', 10)).toEqual([])
    })

    it('is tidied when nothing was added to it since, of this task alone', async () => {
      const [id, other] = [newTaskId(), newTaskId()]
      for (const one of [id, other]) await deadUpload(variantKey(one, 'a', 'jpeg'))
      await store.tidy(id, Date.now() - 60_000)
      expect(await uploads()).toHaveLength(2)
      await store.tidy(id, Date.now() + 60_000)
      expect(await uploads()).toEqual([variantKey(other, 'a', 'jpeg')])
      await store.tidy(other, Date.now() + 60_000)
    })
  })

  it('deletes and lists more than one page', async () => {
    const id = newTaskId()
    const names = Array.from({ length: 1_001 }, (_, index) => variantKey(id, `v${index}`, 'jpeg'))
    for (let at = 0; at < names.length; at += 50) {
      await Promise.all(names.slice(at, at + 50).map((key) => store.put(key, randomBytes(1))))
    }
    const later = newTaskId(Date.now() + 1_000)
    await store.put(originalKey(later, 'jpeg'), randomBytes(1))
    expect(await store.listTasks('', 10)).toEqual([id, later])
    await store.deleteTask(id)
    expect(await store.listTasks('', 10)).toEqual([later])
    await store.deleteTask(later)
  })

  it('lets go of the connection of each reader that leaves', async () => {
    const key = originalKey(newTaskId(), 'jpeg')
    await store.put(key, large)
    for (let reader = 0; reader < SOCKETS_MAX + 10; reader++) {
      const { body } = (await store.get(key))!
      // Before its first byte, and in its midst.
      if (reader % 2 === 0) await body.cancel()
      else for await (const { length } of body) if (length > 0) break
    }
    expect((await store.get(key, { start: 0, end: 0 }))?.bytes).toBe(LARGE)
    await store.delete(key)
  })

  describe('as a file', () => {
    let folder: string
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'revela-files-'))
      vi.stubEnv('TMPDIR', folder)
    })
    afterEach(async () => {
      vi.unstubAllEnvs()
      await rm(folder, { recursive: true, force: true })
    })

    it('leaves nothing, whether it is disposed of or its process is killed before', async () => {
      const key = originalKey(newTaskId(), 'jpeg')
      expect(await store.asFile(key)).toBeNull()
      await store.put(key, large)
      const file = (await store.asFile(key))!
      expect(sha256(await readFile(file.path))).toBe(sha256(large))
      // Elsewhere than on Linux it has a name, which a kill would leave.
      expect(await readdir(folder)).toHaveLength(process.platform === 'linux' ? 0 : 1)
      await file[Symbol.asyncDispose]()
      expect(await readdir(folder)).toEqual([])
      await store.delete(key)
    })

    it('lets go of its connection where no file can be made', async () => {
      const key = originalKey(newTaskId(), 'jpeg')
      await store.put(key, large)
      await rm(folder, { recursive: true })
      for (let time = 0; time < SOCKETS_MAX + 1; time++) {
        await expect(store.asFile(key)).rejects.toMatchObject({ code: 'ENOENT' })
      }
      expect((await store.get(key, { start: 0, end: 0 }))?.bytes).toBe(LARGE)
      await store.delete(key)
    })
  })

  describe('is unavailable', () => {
    const calls: [string, (blobs: BlobStore, id: string) => Promise<unknown>][] = [
      ['put', (blobs, id) => blobs.put(originalKey(id, 'jpeg'), randomBytes(1))],
      ['put in parts', (blobs, id) => blobs.put(originalKey(id, 'jpeg'), large)],
      ['get', (blobs, id) => blobs.get(originalKey(id, 'jpeg'))],
      ['a range', (blobs, id) => blobs.get(originalKey(id, 'jpeg'), { start: 1, end: 2 })],
      ['asFile', (blobs, id) => blobs.asFile(originalKey(id, 'jpeg'))],
      ['copy', (blobs, id) => blobs.copy(originalKey(id, 'jpeg'), originalKey(newTaskId(), 'jpeg'))],
      ['delete', (blobs, id) => blobs.delete(originalKey(id, 'jpeg'))],
      ['deleteTask', (blobs, id) => blobs.deleteTask(id)],
      ['tidy', (blobs, id) => blobs.tidy(id, Date.now())],
      ['listTasks', (blobs) => blobs.listTasks('', 10)],
    ]
    const refused: [string, (given: S3Options) => S3Options][] = [
      ['without its bucket', (given) => ({ ...given, bucket: `gone-${randomUUID()}` })],
      ['to a wrong key', (given) => ({ ...given, credentials: { accessKeyId: 'nobody', secretAccessKey: 'wrong' } })],
      ['where nothing listens', (given) => ({ ...given, endpoint: 'http://127.0.0.1:9' })],
    ]
    describe.each(refused)('%s', (_what, change) => {
      it.each(calls)('%s', async (_name, call) => {
        const blobs = await open(change(options))
        await expect(call(blobs, newTaskId())).rejects.toMatchObject({ code: 'unavailable', status: 503 })
        blobs.close()
      })
    })
  })
})

describe.skipIf(!hasOwnS3() || !hasClients)('an S3 server that falls silent', () => {
  const timeouts: Partial<Timeouts> = { answerMs: 300, idleMs: 300, letGoMs: 100 }

  it('ends a put as unavailable, which took no more than it may hold', async () => {
    const { server: started, address } = (await ownS3())!
    await using own = started
    const blobs = await open({ ...optionsOf(address), timeouts })
    const chunk = randomBytes(CHUNK)
    let taken = 0
    async function* source(): AsyncGenerator<Uint8Array> {
      while (taken < 10 * PART_BYTES) {
        taken += chunk.byteLength
        if (taken > 3 * PART_BYTES) own.freeze()
        yield chunk
      }
    }
    await expect(blobs.put(originalKey(newTaskId(), 'jpeg'), source())).rejects.toMatchObject({ code: 'unavailable' })
    // One part is on its way, one is full.
    expect(taken).toBeLessThanOrEqual(5 * PART_BYTES)
    blobs.close()
  })

  it('ends a reader as unavailable', async () => {
    const { server: started, address } = (await ownS3())!
    await using own = started
    const bucket = optionsOf(address)
    const writer = await open(bucket)
    const key = originalKey(newTaskId(), 'jpeg')
    await writer.put(key, randomBytes(64 * MIB))
    writer.close()
    // A server that is alive may take its time to answer.
    const blobs = await open({ ...bucket, timeouts: { ...timeouts, answerMs: 3_000 } })
    const { body } = (await blobs.get(key))!
    const read = async (): Promise<void> => {
      for await (const { length } of body) if (length > 0) own.freeze()
    }
    await expect(read()).rejects.toMatchObject({ code: 'unavailable' })
    await expect(blobs.get(key)).rejects.toMatchObject({ code: 'unavailable' })
    blobs.close()
  })
})
