/** One bucket, and what its answers mean. */
import { S3Client, S3ServiceException } from '@aws-sdk/client-s3'
import { unavailable } from '#shared/errors.ts'
import { SECOND_MS } from '#shared/limits.ts'
import { SOCKETS_MAX } from './s3-limits.ts'

export interface S3Options {
  bucket: string
  region: string
  /** Of another service than AWS, or of a copy of it: its buckets are paths, not host names. */
  endpoint?: string | undefined
  /** Default: the SDK's chain (environment, profile, the role of the machine). */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined
  /** Before every name in the bucket: several installations may share one. Empty, or with a slash at its end. */
  prefix?: string | undefined
  /** False where clients cannot reach the bucket by this name: then no URL is presigned. Default true. */
  presign?: boolean
  /** For tests, which cannot wait as long. */
  timeouts?: Partial<Timeouts>
}

export interface Timeouts {
  connectMs: number
  /** From a request to the head of its answer, the request's body included: a part of 8 MiB. */
  answerMs: number
  /** Between two chunks of a body that is read. */
  idleMs: number
  /** For letting go of what was begun in vain: whoever waits is told of the failure, not of this. */
  letGoMs: number
}

const TIMEOUTS: Timeouts = {
  connectMs: 3 * SECOND_MS,
  answerMs: 20 * SECOND_MS,
  idleMs: 20 * SECOND_MS,
  letGoMs: SECOND_MS,
}

/** The SDK's own count: the first try and two more, for what is throttled or was cut off. */
const TRIES = 3

export interface Bucket {
  client: S3Client
  name: string
  prefix: string
  timeouts: Timeouts
}

export function openBucket({ bucket, region, endpoint, credentials, prefix = '', timeouts }: S3Options): Bucket {
  const all = { ...TIMEOUTS, ...timeouts }
  const client = new S3Client({
    region,
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(credentials ? { credentials } : {}),
    maxAttempts: TRIES,
    // Else each larger put has a connection of its own, and waits for the server's word before it sends.
    expectContinueHeader: false,
    // Every write of ours names its checksum; in a presigned URL it would be that of no bytes.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    // Its stream around an answer's does not let go of the connection when a reader leaves.
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: all.connectMs,
      requestTimeout: all.answerMs,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: SOCKETS_MAX },
      httpsAgent: { maxSockets: SOCKETS_MAX },
    },
  })
  return { client, name: bucket, prefix, timeouts: all }
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined
}

/** By name, not by 404: a bucket that is not there is a store that is away, and some services answer so to a wrong key. */
const MISSING: ReadonlySet<string> = new Set(['NoSuchKey', 'NoSuchUpload', 'NotFound'])

function isMissing(error: unknown): boolean {
  return error instanceof S3ServiceException && MISSING.has(error.name)
}

/** `If-None-Match: *` was not met: the name is taken. */
export function isTaken(error: unknown): boolean {
  return statusOf(error) === 412
}

/** Another conditional write of the name is under way: nobody knows yet which one wins. */
export function isContested(error: unknown): boolean {
  return statusOf(error) === 409
}

export function isBeyondEnd(error: unknown): boolean {
  return statusOf(error) === 416
}

/** Rejects with Problem `unavailable`, or with the signal's reason where that is why the call failed. */
export async function reach<T>(call: Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await call
  } catch (error) {
    signal?.throwIfAborted()
    throw unavailable('blob store', error)
  }
}

/** As reach, but null where the object is not there. */
export async function reachOrNull<T>(call: Promise<T>, signal?: AbortSignal): Promise<T | null> {
  return await reach(
    call.catch((error: unknown) => {
      if (isMissing(error)) return null
      throw error
    }),
    signal,
  )
}
