/** Bytes in a store that speaks S3, and those of the web: where no disk outlives the process. */
import type { Bindings, BlobStore } from '#shared/bindings.ts'
import { ConfigError } from '#shared/errors.ts'
import type { Config } from '../runtime/config.ts'

export interface S3Config {
  bucket: string
  region: string
  /** Before every name in the bucket. */
  prefix?: string | undefined
  /** Unset: AWS's own. */
  endpoint?: string | undefined
  /** Whether clients can reach the bucket at this address: then they are given links to it. */
  presign?: boolean
  /** Unset: the default chain of the AWS SDK (environment, profile, the role of the machine). */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined
}

export function s3Of(config: Config): S3Config | undefined {
  const { S3_BUCKET: bucket, S3_REGION: region, S3_ENDPOINT: endpoint, S3_PREFIX: prefix } = config
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = config
  if (!bucket) return undefined
  const presign = config.S3_PRESIGN === 'on'
  const credentials = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined
  return { bucket, region, endpoint, prefix, credentials, presign }
}

export async function openS3(where: S3Config): Promise<BlobStore> {
  const { s3Blobs } = await import('../runtime/drivers/blobs/s3.ts').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    const lack = 'expected the client of S3 to be installed, and it is not: npm run clouds'
    throw new ConfigError(`S3_BUCKET: ${lack}`, { cause: error })
  })
  return s3Blobs(where)
}

export async function openFetch(options: { allowHosts: readonly string[] }): Promise<Bindings['fetch']> {
  const { undiciFetch } = await import('../runtime/drivers/fetch/undici.ts')
  return undiciFetch(options)
}
