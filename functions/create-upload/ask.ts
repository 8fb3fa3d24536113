/** POST /uploads: what is to come is agreed upon, and who is to send it is given a link. */
import type { Bindings } from '#shared/bindings.ts'
import { chunksOf, readJson, tooLarge } from '#shared/body.ts'
import { Problem } from '#shared/errors.ts'
import { displayName } from '#shared/filename.ts'
import { SECOND_MS, UPLOAD_LINK_MS } from '#shared/limits.ts'
import { type Faults, gatherFaults, invalid, shown } from '#shared/options/faults.ts'
import { normalise } from '#shared/options/options.ts'
import { refuseCallback } from '#shared/source.ts'
import { newTaskId, timeOfTaskId } from '#shared/task.ts'
import { uploadKey } from '#shared/variant.ts'
import type { Upload } from './route.ts'
import { type Terms, writeTerms } from './terms.ts'

/** Any other type is taken too; but some gateways and frameworks read what has none, or a text's, as text. */
const AS_BYTES = { 'Content-Type': 'application/octet-stream' }

const JSON_TYPE = /^application\/([\w.-]+\+)?json$/i

function bodyOf({ body, headers }: Request): ReadableStream<Uint8Array> {
  const type = headers.get('content-type')?.split(';')[0]?.trim()
  if (body === null || headers.get('content-length') === '0') {
    throw invalid('', 'Expected a JSON object with bytes, got no body.')
  }
  if (type !== undefined && JSON_TYPE.test(type)) return body
  throw new Problem('unsupported-media-type', `Expected application/json, got ${type?.slice(0, 100) ?? 'no type'}.`)
}

function bytesOf(value: unknown, faults: Faults): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value
  faults.at('bytes')([], `Expected the file's size, an integer of at least 1, got ${shown(value)}`)
  return 0
}

function filenameOf(value: unknown, faults: Faults): string | null {
  if (value === undefined || typeof value === 'string') return displayName(value)
  faults.at('filename')([], `Expected text, got ${shown(value)}`)
  return null
}

async function readAsked(request: Request, env: Bindings): Promise<Omit<Terms, 'schemaVersion' | 'expiresAt'>> {
  const members = await readJson(chunksOf(bodyOf(request), env.invocation.signal), 'bytes')
  const faults = gatherFaults('json')
  for (const name of new URL(request.url).searchParams.keys()) {
    faults.at(name)([], 'Expected options as members of the body, got one in the query')
  }
  const bytes = bytesOf(members.get('bytes'), faults)
  const filename = filenameOf(members.get('filename'), faults)
  members.delete('bytes')
  members.delete('filename')
  const asked = normalise(members, env.settings, faults)
  faults.settle()
  if (bytes > env.settings.inputBytesMax) throw tooLarge(env.settings.inputBytesMax)
  refuseCallback(env, asked.callbackUrl)
  return { ...asked, bytes, filename }
}

/** In whole seconds, as a signature has it. The collector must not come before whoever was slow has ended. */
function expiryOf(taskId: string, gcGraceMs: number): number {
  const end = timeOfTaskId(taskId) + Math.min(UPLOAD_LINK_MS, gcGraceMs / 2)
  return Math.floor(end / SECOND_MS) * SECOND_MS
}

export async function askForUpload(request: Request, env: Bindings): Promise<Upload> {
  const asked = await readAsked(request, env)
  const id = newTaskId()
  env.invocation.taskId(id)
  const expiresAt = expiryOf(id, env.settings.gcGraceMs)
  await writeTerms(env, id, { schemaVersion: 1, ...asked, expiresAt })
  const { bytes } = asked
  const own = await env.links.sign(`/uploads/${id}`, expiresAt)
  const direct = await env.blobs.presign(uploadKey(id), { bytes, expiresAt })
  const { url: uploadUrl, headers } = direct ?? { url: own, headers: AS_BYTES }
  return {
    id,
    uploadUrl,
    method: 'PUT',
    headers,
    completeUrl: own,
    bytes,
    expiresAt: new Date(expiresAt).toISOString(),
  }
}
