import { randomUUID } from 'node:crypto'
import { describe } from 'vitest'
import { s3Blobs } from '../../runtime/drivers/blobs/s3.ts'
import { s3Server } from '../servers/s3.ts'
import { describeBlobStore } from './blobs.ts'

const server = await s3Server()

describe.skipIf(!server)('in a bucket', () => {
  describeBlobStore('s3', async () => {
    const { endpoint, region, bucket, ...credentials } = server!
    const blobs = s3Blobs({ endpoint, region, bucket, credentials, prefix: `${randomUUID()}/` })
    return { blobs, [Symbol.asyncDispose]: async () => blobs.close() }
  })
})
