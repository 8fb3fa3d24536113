/** An object beside those of all tasks names the task store that they belong to. */
import { text } from 'node:stream/consumers'
import { ownerToText, textToOwner } from './owner-text.ts'
import type { Bucket } from './s3-bucket.ts'
import { readObject } from './s3-read.ts'
import { writeObject } from './s3-write.ts'

const KEY = 'input/.revela/owner.txt'

/** None or one. */
export async function ownersOf(bucket: Bucket): Promise<string[]> {
  const blob = await readObject(bucket, KEY)
  return blob === null ? [] : [textToOwner(await text(blob.body))]
}

/** Notes the id unless one is there. */
export async function noteOwnerIn(bucket: Bucket, id: string): Promise<void> {
  await writeObject(bucket, KEY, Buffer.from(ownerToText(id)), undefined)
}
