/** What is a cloud's own for one place: a database and a part of a bucket, each behind a proxy that can be cut. */
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { hasClients } from './installed.ts'
import type { Running } from '../scenarios/target.ts'
import { mongoServer } from '../servers/mongo.ts'
import { proxiedDatabase } from '../servers/mongo-proxied.ts'
import { startProxy } from '../servers/proxy.ts'
import { s3Server } from '../servers/s3.ts'

/** As far as it is used: the client is in reach of runtime/ alone. */
interface S3 {
  S3Client: new (options: object) => { send(command: object): Promise<Listed>; destroy(): void }
  ListObjectsV2Command: new (input: object) => object
  DeleteObjectCommand: new (input: object) => object
  DeleteObjectsCommand: new (input: object) => object
}
interface Listed {
  Contents?: { Key: string }[]
  NextContinuationToken?: string
}

export interface Stores extends AsyncDisposable, Pick<Running, 'files' | 'lose' | 'outage'> {
  env: Record<string, string>
}

/** Whether the servers and the clients for a cloud's places are there. */
export async function hasStores(): Promise<boolean> {
  return hasClients && (await mongoServer()) !== null && (await s3Server()) !== null
}

async function openBucket() {
  const { endpoint, region, bucket: Bucket, accessKeyId, secretAccessKey } = (await s3Server())!
  const require = createRequire(new URL('../../runtime/', import.meta.url))
  const { S3Client, ListObjectsV2Command, DeleteObjectCommand, DeleteObjectsCommand } =
    require('@aws-sdk/client-s3') as S3
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true })
  const { hostname, port } = new URL(endpoint)
  const proxy = await startProxy({ host: hostname, port: Number(port || 80) })
  const prefix = `${randomUUID()}/`
  const names = async (): Promise<string[]> => {
    const found: string[] = []
    let ContinuationToken: string | undefined
    do {
      const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, ContinuationToken }))
      found.push(...(page.Contents ?? []).map(({ Key }) => Key.slice(prefix.length)))
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken)
    return found.sort()
  }
  return {
    env: {
      S3_BUCKET: Bucket,
      S3_REGION: region,
      S3_ENDPOINT: `http://127.0.0.1:${proxy.port}`,
      S3_PREFIX: prefix,
      S3_ACCESS_KEY_ID: accessKeyId,
      S3_SECRET_ACCESS_KEY: secretAccessKey,
    },
    proxy,
    names,
    lose: async (name: string): Promise<void> => {
      await client.send(new DeleteObjectCommand({ Bucket, Key: `${prefix}${name}` }))
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      const left = await names()
      const Objects = left.map((name) => ({ Key: `${prefix}${name}` }))
      for (let at = 0; at < Objects.length; at += 1_000) {
        await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: Objects.slice(at, at + 1_000) } }))
      }
      client.destroy()
    },
  }
}

export async function openStores(): Promise<Stores> {
  await using stack = new AsyncDisposableStack()
  const database = stack.use(await proxiedDatabase())
  const bucket = stack.use(await openBucket())
  const owned = stack.move()
  return {
    env: { MONGODB_URI: database.uri, ...bucket.env },
    // Without what the files' owner is noted in.
    files: async () => (await bucket.names()).filter((name) => !name.startsWith('input/.revela/')),
    lose: async (file) => await bucket.lose(file),
    outage: { blobs: async () => await bucket.proxy.cut(), tasks: async () => await database.proxy.cut() },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  }
}
