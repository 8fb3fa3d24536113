/**
 * Blobs in a bucket of any S3 service that has conditional writes: `input/{taskId}/…` and `output/{taskId}/…`, as they
 * lie in the storage folder. It lists, too, what lies there in parts: rights on AWS are ListBucket and
 * ListBucketMultipartUploads, and of objects Get, Put, Delete, AbortMultipartUpload and ListMultipartUploadParts. Rejects with Problem `unavailable` when the service cannot be reached, refuses or is silent.
 */
import { CopyObjectCommand, DeleteObjectCommand } from '@aws-sdk/client-s3'
import type { BlobStore } from '#shared/bindings.ts'
import { timeOfTaskId } from '#shared/task.ts'
import type { BlobKey } from '#shared/variant.ts'
import { checkKey, checkTaskId } from './paths.ts'
import { type Bucket, isTaken, openBucket, reach, reachOrNull, type S3Options } from './s3-bucket.ts'
import { noteOwnerIn, ownersOf } from './s3-owner.ts'
import { presignPut } from './s3-presign.ts'
import { abandonBelow, deleteBelow, listTaskIds } from './s3-list.ts'
import { fetchFile, placeOf, readObject } from './s3-read.ts'
import { writeObject } from './s3-write.ts'

/** Not by HEAD: its answer does not say whether the object is missing, or the bucket, or the right to see either. */
async function isThere(bucket: Bucket, key: BlobKey): Promise<boolean> {
  const blob = await readObject(bucket, key, { start: 0, end: 0 })
  await blob?.body.cancel()
  return blob !== null
}

async function copyObject(bucket: Bucket, from: BlobKey, to: BlobKey): Promise<boolean> {
  // Not every service obeys the condition of a copy: where `to` stands, it is not asked for one.
  if (await isThere(bucket, to)) return await isThere(bucket, from)
  const { Bucket, Key } = placeOf(bucket, from)
  const copy = new CopyObjectCommand({ ...placeOf(bucket, to), CopySource: `${Bucket}/${Key}`, IfNoneMatch: '*' })
  const copied = bucket.client.send(copy).catch((error: unknown) => {
    if (!isTaken(error)) throw error
    return 'taken' as const
  })
  return (await reachOrNull(copied)) !== null
}

async function removeBelow(bucket: Bucket, below: `${'input' | 'output'}/${string}`): Promise<void> {
  // Uploads first: one that completes in between is an object then.
  await abandonBelow(bucket, below)
  await deleteBelow(bucket, below)
}

export function s3Blobs(options: S3Options): BlobStore & { close(): void } {
  const bucket = openBucket(options)
  return {
    put: async (key, source, signal) => ({ key, ...(await writeObject(bucket, checkKey(key), source, signal)) }),
    get: async (key, range) => await readObject(bucket, checkKey(key), range),
    asFile: async (key) => await fetchFile(bucket, checkKey(key)),
    copy: async (from, to) => await copyObject(bucket, checkKey(from), checkKey(to)),
    delete: async (key) => {
      // S3 answers the same where there is nothing.
      await reach(bucket.client.send(new DeleteObjectCommand(placeOf(bucket, checkKey(key)))))
    },
    presign: async (key, limit) => {
      checkKey(key)
      return options.presign === false ? null : await presignPut(bucket, key, limit)
    },
    deleteTask: async (taskId) => {
      checkTaskId(taskId)
      await Promise.all([removeBelow(bucket, `input/${taskId}/`), removeBelow(bucket, `output/${taskId}/`)])
    },
    tidy: async (taskId, before) => {
      checkTaskId(taskId)
      await abandonBelow(bucket, `input/${taskId}/`, before)
      await abandonBelow(bucket, `output/${taskId}/`, before)
      // A presigned URL may be used once more when its file has been taken.
      if (timeOfTaskId(taskId) < before) await deleteBelow(bucket, `input/${taskId}/upload.`)
    },
    listTasks: async (after, limit) => await listTaskIds(bucket, after, limit),
    owners: async (note) => {
      if (note !== undefined) await noteOwnerIn(bucket, note)
      return await ownersOf(bucket)
    },
    close: () => bucket.client.destroy(),
  }
}
