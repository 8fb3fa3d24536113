/** Where bytes lie and come from. A container opens these for itself, and nothing else. */
import type { Bindings, BlobStore } from '#shared/bindings.ts'
import type { Config } from '../config.ts'

/** What a container opens for itself: bytes never cross its IPC channel. */
export interface ContainerStorage {
  inputPath: string
  outputPath: string
  allowHosts: readonly string[]
  /** Unset: files below the paths. */
  s3?: S3Config | undefined
}

export interface S3Config {
  bucket: string
  region: string
  /** Before every name in the bucket. */
  prefix?: string | undefined
  /** Unset: AWS's own. */
  endpoint?: string | undefined
  /** Unset: the default chain of the AWS SDK (environment, profile, the role of the machine). */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined
}

export function storageOf(config: Config): ContainerStorage {
  const { STORAGE_INPUT_PATH: inputPath, STORAGE_OUTPUT_PATH: outputPath, ALLOW_HOSTS: allowHosts } = config
  return { inputPath, outputPath, allowHosts, s3: s3Of(config) }
}

function s3Of(config: Config): S3Config | undefined {
  const { S3_BUCKET: bucket, S3_REGION: region, S3_ENDPOINT: endpoint, S3_PREFIX: prefix } = config
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = config
  if (!bucket) return undefined
  const credentials = accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined
  return { bucket, region, endpoint, prefix, credentials }
}

async function openBlobs({ s3, ...paths }: ContainerStorage): Promise<BlobStore> {
  if (s3) {
    const { s3Blobs } = await import('../drivers/blobs/s3.ts')
    return s3Blobs(s3)
  }
  const { filesystemBlobs } = await import('../drivers/blobs/filesystem.ts')
  return filesystemBlobs(paths)
}

export async function openStorage(storage: ContainerStorage): Promise<Pick<Bindings, 'blobs' | 'fetch'>> {
  const { undiciFetch } = await import('../drivers/fetch/undici.ts')
  return { blobs: await openBlobs(storage), fetch: undiciFetch(storage) }
}
