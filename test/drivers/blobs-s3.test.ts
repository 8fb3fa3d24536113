import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { newTaskId } from '#shared/task.ts'
import { uploadKey } from '#shared/variant.ts'
import { hasClients } from '../clouds/installed.ts'
import { s3Server } from '../servers/s3.ts'
import { describeBlobStore } from './blobs.ts'

const server = hasClients ? await s3Server() : null

describe.skipIf(!server)('in a bucket', () => {
  const open = async (presign = true) => {
    const { endpoint, region, bucket, ...credentials } = server!
    const { s3Blobs } = await import('../../runtime/drivers/blobs/s3.ts')
    const blobs = s3Blobs({ endpoint, region, bucket, credentials, prefix: `${randomUUID()}/`, presign })
    return { blobs, [Symbol.asyncDispose]: async () => blobs.close() }
  }
  describeBlobStore('s3', open, true)

  it('that clients cannot reach, none is given a URL to it', async () => {
    await using store = await open(false)
    const limit = { bytes: 1, expiresAt: Date.now() + 60_000 }
    expect(await store.blobs.presign(uploadKey(newTaskId()), limit)).toBeNull()
  })
})
