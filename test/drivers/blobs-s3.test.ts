import { randomUUID } from 'node:crypto'
import { describe } from 'vitest'
import { hasClients } from '../clouds/installed.ts'
import { s3Server } from '../servers/s3.ts'
import { describeBlobStore } from './blobs.ts'

const server = hasClients ? await s3Server() : null

describe.skipIf(!server)('in a bucket', () => {
  describeBlobStore('s3', async () => {
    const { endpoint, region, bucket, ...credentials } = server!
    const { s3Blobs } = await import('../../runtime/drivers/blobs/s3.ts')
    const blobs = s3Blobs({ endpoint, region, bucket, credentials, prefix: `${randomUUID()}/` })
    return { blobs, [Symbol.asyncDispose]: async () => blobs.close() }
  })
})
