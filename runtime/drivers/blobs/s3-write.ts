/**
 * Writing an object. S3 shows one only when all of it has come, and `If-None-Match: *` makes the first one stay. What is
 * small goes in one request; what is larger in parts, of which one is on its way while the next is gathered.
 */
import { createHash } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { ByteSource } from '#shared/bindings.ts'
import { unavailable } from '#shared/errors.ts'
import type { BlobKey } from '#shared/variant.ts'
import { type Bucket, isContested, isTaken, reach } from './s3-bucket.ts'
import { PART_BYTES } from './s3-limits.ts'
import { describeObject, placeOf } from './s3-read.ts'
import { chunksOf } from './source.ts'

/** Conditional writes of one name at once: some are told to try again. */
const CONTESTS_MAX = 5

export interface Written {
  bytes: number
  /** Lower-case hex. */
  sha256: string
  created: boolean
}

/** Kept by the bucket beside the object, and compared with what came: a part that was garbled on its way is refused. */
const CHECKSUM = 'CRC32'

/** Gathers chunks to parts of PART_BYTES; the last one, also the only one, is smaller and may be empty. */
async function* partsOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<{ body: Buffer; isLast: boolean }> {
  let gathered: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength;) {
      const taken = chunk.subarray(at, at + PART_BYTES - bytes)
      at += taken.byteLength
      bytes += taken.byteLength
      gathered.push(taken)
      if (bytes < PART_BYTES) continue
      yield { body: Buffer.concat(gathered, bytes), isLast: false }
      gathered = []
      bytes = 0
    }
  }
  yield { body: Buffer.concat(gathered, bytes), isLast: true }
}

/** True when `write` made the object, false when it was there. */
async function unlessTaken(
  write: () => Promise<unknown>,
  signal: AbortSignal | undefined,
  contestsMax = CONTESTS_MAX,
): Promise<boolean> {
  for (let contests = 1; ; contests++) {
    const outcome = await reach(
      write().then(
        () => 'created' as const,
        (error: unknown) => {
          if (isTaken(error)) return 'taken' as const
          if (isContested(error) && contests < contestsMax) return 'contested' as const
          throw error
        },
      ),
      signal,
    )
    if (outcome !== 'contested') return outcome === 'created'
  }
}

interface Upload {
  /** Resolves when the part before this one is there. */
  add(body: Buffer): Promise<void>
  /** True when it made the object. */
  complete(): Promise<boolean>
  abandon(): Promise<void>
}

async function beginUpload(bucket: Bucket, key: BlobKey, signal: AbortSignal | undefined): Promise<Upload> {
  const { client, timeouts } = bucket
  const place = placeOf(bucket, key)
  const aborting = signal ? { abortSignal: signal } : {}
  const begin = new CreateMultipartUploadCommand({ ...place, ChecksumAlgorithm: CHECKSUM })
  const { UploadId } = await reach(client.send(begin, aborting), signal)
  const upload = { ...place, UploadId }
  const parts: CompletedPart[] = []
  let underWay: Promise<void> = Promise.resolve()

  const send = async (Body: Buffer, PartNumber: number): Promise<void> => {
    const part = new UploadPartCommand({ ...upload, PartNumber, Body, ChecksumAlgorithm: CHECKSUM })
    const { ETag, ChecksumCRC32 } = await reach(client.send(part, aborting), signal)
    parts.push({ PartNumber, ETag, ...(ChecksumCRC32 ? { ChecksumCRC32 } : {}) })
  }
  let count = 0
  return {
    async add(body) {
      await underWay
      underWay = send(body, ++count)
      // Told by whoever awaits it next; until then it is nobody's failure.
      underWay.catch(() => {})
    },
    async complete() {
      await underWay
      const complete = { ...upload, MultipartUpload: { Parts: parts }, IfNoneMatch: '*' }
      // Contested, it must be begun anew, with all of its parts: that is whoever's who has the source.
      return await unlessTaken(() => client.send(new CompleteMultipartUploadCommand(complete), aborting), signal, 1)
    },
    async abandon() {
      const ending = { abortSignal: AbortSignal.timeout(timeouts.letGoMs) }
      await underWay.catch(() => {})
      // What cannot be let go now, `tidy` finds.
      await client.send(new AbortMultipartUploadCommand(upload), ending).catch(() => {})
    },
  }
}

/** Writes all of `source` under `key`, durably, unless the key is taken: then describes the object that is there. */
export async function writeObject(
  bucket: Bucket,
  key: BlobKey,
  source: ByteSource,
  signal: AbortSignal | undefined,
): Promise<Written> {
  signal?.throwIfAborted()
  const place = placeOf(bucket, key)
  const hash = createHash('sha256')
  let bytes = 0
  let upload: Upload | undefined
  let created = false
  try {
    for await (const { body, isLast } of partsOf(chunksOf(source, signal))) {
      hash.update(body)
      bytes += body.byteLength
      if (!isLast) await (upload ??= await beginUpload(bucket, key, signal)).add(body)
      else if (upload && body.byteLength > 0) await upload.add(body)
      else if (!upload) {
        const put = { ...place, Body: body, ChecksumAlgorithm: CHECKSUM, IfNoneMatch: '*' } as const
        const aborting = signal ? { abortSignal: signal } : {}
        created = await unlessTaken(() => bucket.client.send(new PutObjectCommand(put), aborting), signal)
      }
    }
    if (upload) created = await upload.complete()
  } catch (error) {
    await upload?.abandon()
    throw error
  }
  if (created) return { bytes, sha256: hash.digest('hex'), created }
  await upload?.abandon()
  const there = await describeObject(bucket, key)
  // Deleted since: its task is gone, and a retry may tell.
  if (there === null) throw unavailable('blob store', new Error('the object was deleted while it was written'))
  return { ...there, created }
}
