/** Reading an object over one connection, as fast as it is taken. */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { GetObjectCommand, type GetObjectCommandOutput, HeadObjectCommand } from '@aws-sdk/client-s3'
import type { Blob, ByteRange } from '#shared/bindings.ts'
import type { BlobKey } from '#shared/variant.ts'
import { type Bucket, isBeyondEnd, reach, reachOrNull } from './s3-bucket.ts'
import { tempFile } from './temp-file.ts'

type Place = { Bucket: string; Key: string }

export function placeOf({ name, prefix }: Bucket, key: BlobKey): Place {
  return { Bucket: name, Key: prefix + key }
}

/** A Range's own length says nothing of the whole: that stands behind the slash of Content-Range. */
function sizeOf({ ContentRange, ContentLength }: GetObjectCommandOutput): number {
  return Number(ContentRange?.split('/')[1] ?? ContentLength ?? 0)
}

/** One that falls silent for `idleMs` while its reader waits is cut off. */
async function nextOf(iterator: AsyncIterator<Buffer>, body: Readable, idleMs: number) {
  const timer = setTimeout(() => body.destroy(new Error(`nothing came for ${idleMs} ms`)), idleMs)
  try {
    return await reach(iterator.next())
  } finally {
    clearTimeout(timer)
  }
}

async function* chunksOf(body: Readable, idleMs: number): AsyncGenerator<Buffer> {
  const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  try {
    for (let next = await nextOf(iterator, body, idleMs); !next.done; next = await nextOf(iterator, body, idleMs)) {
      yield next.value
    }
  } finally {
    body.destroy()
  }
}

function bodyOf(body: Readable, idleMs: number): ReadableStream<Uint8Array> {
  const chunks = chunksOf(body, idleMs)
  let cancelled = false
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next().catch((error: unknown) => {
          // The connection was cut off by cancel: nobody reads any more.
          if (cancelled) return { done: true, value: undefined } as const
          throw error
        })
        if (cancelled) return
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel() {
        cancelled = true
        body.on('error', () => {})
        body.destroy()
      },
    },
    // Nothing is read before it is asked for.
    { highWaterMark: 0 },
  )
}

/** What a range that begins beyond the end finds: nothing, of an object that has a size. */
async function beyondEnd({ client }: Bucket, place: Place): Promise<Blob | null> {
  const head = await reachOrNull(client.send(new HeadObjectCommand(place)))
  if (head === null) return null
  const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.close() })
  return { bytes: head.ContentLength ?? 0, modifiedAt: head.LastModified?.getTime() ?? 0, body }
}

export async function readObject(bucket: Bucket, key: BlobKey, range?: ByteRange): Promise<Blob | null> {
  const place = placeOf(bucket, key)
  const Range = range && `bytes=${range.start}-${range.end}`
  const request = bucket.client.send(new GetObjectCommand({ ...place, ...(Range ? { Range } : {}) }))
  const found = await request.catch((error: unknown) => {
    if (isBeyondEnd(error)) return 'beyond' as const
    return reachOrNull<never>(Promise.reject(error))
  })
  if (found === null) return null
  if (found === 'beyond') return await beyondEnd(bucket, place)
  const { LastModified, Body } = found
  const body = bodyOf(Body as Readable, bucket.timeouts.idleMs)
  return { bytes: sizeOf(found), modifiedAt: LastModified?.getTime() ?? 0, body }
}

/** Size and hash of an object that is there; null when it is gone. Read as a whole: the hash of one in parts is not known. */
export async function describeObject(bucket: Bucket, key: BlobKey): Promise<{ bytes: number; sha256: string } | null> {
  const blob = await readObject(bucket, key)
  if (blob === null) return null
  const hash = createHash('sha256')
  for await (const chunk of blob.body) hash.update(chunk)
  return { bytes: blob.bytes, sha256: hash.digest('hex') }
}

/** The object as a file in the system's folder for such, until it is disposed of or its process ends. */
export async function fetchFile(bucket: Bucket, key: BlobKey): Promise<({ path: string } & AsyncDisposable) | null> {
  const found = await reachOrNull(bucket.client.send(new GetObjectCommand(placeOf(bucket, key))))
  if (found === null) return null
  const body = found.Body as Readable
  try {
    return await tempFile(chunksOf(body, bucket.timeouts.idleMs))
  } catch (error) {
    // Where no file could be made nothing has read of it, and it would keep its connection.
    body.destroy()
    throw error
  }
}
