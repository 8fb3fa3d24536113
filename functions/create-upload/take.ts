/** PUT /uploads/{taskId}: one file of the agreed size, into the blob store as it arrives. */
import type { Bindings } from '#shared/bindings.ts'
import { chunksOf, refuseEncoding, tooLarge } from '#shared/body.ts'
import { Problem } from '#shared/errors.ts'
import { invalid } from '#shared/options/faults.ts'
import { type Deposit, storeIn } from '#shared/picture/receive.ts'
import { uploadKey } from '#shared/variant.ts'
import { noUpload, readTerms, refuseExpired } from './terms.ts'

/** To who asked for that (RFC 9110 §13.1.2) as a condition that does not hold, to others as a conflict. */
function taken({ headers }: Request): Problem {
  if (headers.get('if-none-match')?.trim() === '*') {
    return new Problem('precondition-failed', 'Expected an upload without a file, got one that has it already.')
  }
  return new Problem('upload-taken', 'This upload has its file already; its link takes no other.')
}

/** A file that is not there has no tag, and is not `*` either (RFC 9110 §13.1.1). */
function refuseAbsent({ headers }: Request): void {
  if (!headers.has('if-match')) return
  throw new Problem('precondition-failed', 'Expected a file that If-Match names, got an upload without one.')
}

function refuseSize(bytes: number, agreed: number): void {
  if (bytes > agreed) throw tooLarge(agreed, 'What was sent')
  if (bytes < agreed) throw invalid('', `Expected ${agreed} bytes, as the upload was asked for with, got ${bytes}.`)
}

/** Counts what arrives, whatever Content-Length says. `failed` hears why it ended: a store may wrap that. */
async function* exactly(chunks: AsyncIterable<Uint8Array>, agreed: number, failed: (error: unknown) => void) {
  let bytes = 0
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length
      if (bytes > agreed) refuseSize(bytes, agreed)
      yield chunk
    }
    refuseSize(bytes, agreed)
  } catch (error) {
    failed(error)
    throw error
  }
}

async function isThere({ blobs }: Bindings, taskId: string): Promise<boolean> {
  const blob = await blobs.get(uploadKey(taskId), { start: 0, end: 0 })
  await blob?.body.cancel()
  return blob !== null
}

export async function takeUpload(request: Request, env: Bindings, taskId: string): Promise<void> {
  const terms = await readTerms(env, taskId)
  const task = await env.tasks.get(taskId)
  if (task) throw taken(request)
  if (!terms) throw noUpload(taskId)
  env.invocation.taskId(taskId)
  refuseExpired(terms)
  refuseEncoding(request)
  const length = request.headers.get('content-length')
  if (length !== null) refuseSize(Number(length), terms.bytes)
  if (request.body === null) throw invalid('', `Expected a file of ${terms.bytes} bytes, got no body.`)
  // Before the body is read: what is refused anyway is not uploaded first.
  if (await isThere(env, taskId)) throw taken(request)
  refuseAbsent(request)
  const deposit: Deposit = { begun: false, key: null }
  const fault: { error?: unknown } = {}
  const failed = (error: unknown): void => void (fault.error ??= error)
  const chunks = exactly(chunksOf(request.body, env.invocation.signal), terms.bytes, failed)
  try {
    await storeIn(env, deposit, false)(uploadKey(taskId), chunks)
  } catch (error) {
    throw fault.error ?? error
  }
  if (deposit.key === null) throw taken(request)
  // Completed with another's file while this one was on its way: nothing asks for it any more.
  if (await env.tasks.get(taskId)) {
    await env.blobs.delete(deposit.key)
    throw taken(request)
  }
}
