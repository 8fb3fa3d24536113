/** A signature over one PUT (AWS Signature Version 4, in the query): whoever has it writes into the bucket without us. */
import { PutObjectCommand } from '@aws-sdk/client-s3'
import type { Presigned } from '#shared/bindings.ts'
import { SECOND_MS } from '#shared/limits.ts'
import type { BlobKey } from '#shared/variant.ts'
import { type Bucket, reach } from './s3-bucket.ts'
import { placeOf } from './s3-read.ts'

const CONDITION = { 'If-None-Match': '*' }

/** The length is signed, so no other is taken; and so is the condition, so the first file stays. */
export async function presignPut(
  bucket: Bucket,
  key: BlobKey,
  { bytes, expiresAt }: { bytes: number; expiresAt: number },
): Promise<Presigned> {
  // Not needed for anything else, and a cold start is measured.
  const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner')
  const put = new PutObjectCommand({ ...placeOf(bucket, key), ContentLength: bytes, IfNoneMatch: '*' })
  const signed = getSignedUrl(bucket.client, put, {
    expiresIn: Math.max(1, Math.floor((expiresAt - Date.now()) / SECOND_MS)),
  })
  return { url: await reach(signed), headers: CONDITION }
}
