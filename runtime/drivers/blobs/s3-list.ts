/** What a bucket holds of tasks, finished and unfinished, and how it goes. */
import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  type ListMultipartUploadsCommandOutput,
  type ListObjectsV2CommandOutput,
  type MultipartUpload,
} from '@aws-sdk/client-s3'
import { TASK_ID } from '#shared/task.ts'
import { type Bucket, reach, reachOrNull } from './s3-bucket.ts'

/** `input/{taskId}/`, `output/{taskId}/` and the like, behind the bucket's own prefix. */
export type Below = `${'input' | 'output'}/${string}`

/** Deletes every object below; those of one page in one request. */
export async function deleteBelow({ client, name, prefix }: Bucket, below: Below): Promise<void> {
  let ContinuationToken: string | undefined
  do {
    const page: ListObjectsV2CommandOutput = await reach(
      client.send(new ListObjectsV2Command({ Bucket: name, Prefix: prefix + below, ContinuationToken })),
    )
    const Objects = (page.Contents ?? []).map(({ Key }) => ({ Key }))
    if (Objects.length > 0) {
      const { Errors = [] } = await reach(
        client.send(new DeleteObjectsCommand({ Bucket: name, Delete: { Objects, Quiet: true } })),
      )
      const [first] = Errors
      if (first) await reach(Promise.reject(new Error(`${first.Code}: ${first.Message}`)))
    }
    ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined
  } while (ContinuationToken)
}

async function* uploadsBelow({ client, name, prefix }: Bucket, below: Below): AsyncGenerator<MultipartUpload> {
  let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
  for (;;) {
    const page: ListMultipartUploadsCommandOutput = await reach(
      client.send(new ListMultipartUploadsCommand({ Bucket: name, Prefix: prefix + below, ...markers })),
    )
    yield* page.Uploads ?? []
    if (!page.IsTruncated) return
    markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
  }
}

/** When the last part of an upload came, or it was begun: Unix ms. */
async function lastAddition({ client, name }: Bucket, { Key, UploadId, Initiated }: MultipartUpload): Promise<number> {
  let last = Initiated?.getTime() ?? 0
  let PartNumberMarker: string | undefined
  do {
    const list = new ListPartsCommand({ Bucket: name, Key, UploadId, PartNumberMarker })
    const page = await reachOrNull(client.send(list))
    for (const { LastModified } of page?.Parts ?? []) last = Math.max(last, LastModified?.getTime() ?? 0)
    PartNumberMarker = page?.IsTruncated ? page.NextPartNumberMarker : undefined
  } while (PartNumberMarker)
  return last
}

/** Lets go of uploads below that nothing was added to since `before` (Unix ms). */
export async function abandonBelow(bucket: Bucket, below: Below, before = Infinity): Promise<void> {
  for await (const upload of uploadsBelow(bucket, below)) {
    if (before !== Infinity && (await lastAddition(bucket, upload)) >= before) continue
    const { Key, UploadId } = upload
    await reachOrNull(bucket.client.send(new AbortMultipartUploadCommand({ Bucket: bucket.name, Key, UploadId })))
  }
}

/** The character behind the slash: what sorts after it sorts after all that lies below the folder. */
const AFTER_FOLDER = '0'

type Prefixes = { CommonPrefixes?: { Prefix?: string | undefined }[] | undefined; IsTruncated?: boolean | undefined }

/** Ids out of one kind of list, page by page, until there are `limit`. What is no task's is passed over. */
async function idsOf(
  root: string,
  limit: number,
  list: (mark: string | undefined) => Promise<Prefixes & { next?: string | undefined }>,
) {
  const ids: string[] = []
  let mark: string | undefined
  do {
    const page = await list(mark)
    for (const { Prefix = '' } of page.CommonPrefixes ?? []) {
      const id = Prefix.slice(root.length, -1)
      if (TASK_ID.test(id)) ids.push(id)
    }
    mark = page.IsTruncated ? page.next : undefined
  } while (mark && ids.length < limit)
  return ids
}

/**
 * The first `limit` task ids after `after`, in id order: a bucket lists in the order of names, and a delimiter makes
 * folders of them. Also those of which there is only what a put left that died: else nobody would ever tidy it.
 */
export async function listTaskIds({ client, name, prefix }: Bucket, after: string, limit: number): Promise<string[]> {
  if (limit < 1) return []
  const lists = (['input/', 'output/'] as const).flatMap((kind) => {
    const root = prefix + kind
    const start = after === '' ? undefined : `${root}${after}${AFTER_FOLDER}`
    const place = { Bucket: name, Prefix: root, Delimiter: '/' }
    const objects = async (ContinuationToken: string | undefined) => {
      const page = await reach(
        client.send(new ListObjectsV2Command({ ...place, StartAfter: start, ContinuationToken })),
      )
      return { ...page, next: page.NextContinuationToken }
    }
    const uploads = async (mark: string | undefined) => {
      const page = await reach(client.send(new ListMultipartUploadsCommand({ ...place, KeyMarker: mark ?? start })))
      return { ...page, next: page.NextKeyMarker }
    }
    return [idsOf(root, limit, objects), idsOf(root, limit, uploads)]
  })
  const ids = new Set((await Promise.all(lists)).flat())
  return [...ids]
    .filter((id) => id > after)
    .toSorted()
    .slice(0, limit)
}
