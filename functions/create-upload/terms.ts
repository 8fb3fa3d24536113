/**
 * What an upload was asked for with. It lies beside the file that is to come, not in the link: a link stands in the logs
 * of every proxy, where no metadata may be, and has no room for sixteen variants. So the link only names it, and what is
 * stored under a key never changes: an upload is bound to its options also where links are not signed.
 */
import { Buffer } from 'node:buffer'
import type { Bindings } from '#shared/bindings.ts'
import { Problem } from '#shared/errors.ts'
import type { Asked } from '#shared/options/options.ts'
import { TASK_ID } from '#shared/task.ts'
import { uploadTermsKey } from '#shared/variant.ts'

export interface Terms extends Asked {
  schemaVersion: 1
  /** Of the file, exactly. */
  bytes: number
  filename: string | null
  /** Unix ms. */
  expiresAt: number
}

export async function writeTerms({ blobs }: Bindings, taskId: string, terms: Terms): Promise<void> {
  await blobs.put(uploadTermsKey(taskId), Buffer.from(JSON.stringify(terms)))
}

/** Null where there is no such upload, or no longer. */
export async function readTerms({ blobs }: Bindings, taskId: string): Promise<Terms | null> {
  if (!TASK_ID.test(taskId)) return null
  const blob = await blobs.get(uploadTermsKey(taskId))
  return blob && ((await new Response(blob.body).json()) as Terms)
}

export function noUpload(taskId: string): Problem {
  return new Problem('not-found', `There is no upload ${JSON.stringify(taskId.slice(0, 64))}.`)
}

export function expired(): Problem {
  return new Problem('link-invalid', 'The time of this upload is over. Ask for another with POST /uploads.')
}

/** Asked of the terms too: with a key, or on a server without keys, no signature has said so. */
export function refuseExpired({ expiresAt }: Terms): void {
  if (Date.now() >= expiresAt) throw expired()
}
