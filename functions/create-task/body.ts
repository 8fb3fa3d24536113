/** The request's body: which kind it is. */
import { chunksOf, refuseEncoding, tooLarge } from '#shared/body.ts'
import { Problem } from '#shared/errors.ts'
import { FIELDS_BYTES_MAX, KIB } from '#shared/limits.ts'
import { invalid } from '#shared/options/faults.ts'

export type BodyKind = 'multipart' | 'raw' | 'json'

/** Bytes that boundaries and part headers may add to a multipart body. */
export const MULTIPART_OVERHEAD_MAX = 64 * KIB

const ACCEPTED_BODIES = 'multipart/form-data, image/*, application/octet-stream or application/json'

function kindOf(contentType: string): BodyKind | null {
  const essence = contentType.split(';')[0]!.trim().toLowerCase()
  if (essence === 'multipart/form-data') return 'multipart'
  if (essence === 'application/octet-stream' || essence.startsWith('image/')) return 'raw'
  return /^application\/([\w.-]+\+)?json$/.test(essence) ? 'json' : null
}

const NO_IMAGE = 'Expected an image, got no body.'

function unsupported(got: string): Problem {
  return new Problem('unsupported-media-type', `Expected ${ACCEPTED_BODIES}, got ${got}.`)
}

/** Without a Content-Type a body is of no kind; but a server may hand over a stream where nothing was sent. */
async function refuseUntyped(body: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<never> {
  for await (const chunk of chunksOf(body, signal)) if (chunk.length > 0) throw unsupported('no Content-Type')
  throw invalid('', NO_IMAGE)
}

/** The kind of body by its Content-Type; of a body that is accepted nothing is read. */
export async function bodyKind(request: Request, signal: AbortSignal): Promise<BodyKind> {
  const { headers, body } = request
  if (body === null || headers.get('content-length') === '0') throw invalid('', NO_IMAGE)
  const contentType = headers.get('content-type')
  if (contentType === null) return await refuseUntyped(body, signal)
  const kind = kindOf(contentType)
  if (kind === null) throw unsupported(contentType.slice(0, 100))
  refuseEncoding(request)
  return kind
}

/** Refuses by Content-Length what would be refused by counting; chunked bodies are counted alone. */
export function refuseLength(request: Request, kind: BodyKind, inputBytesMax: number): void {
  const length = Number(request.headers.get('content-length') ?? 0)
  if (kind === 'raw' && length > inputBytesMax) throw tooLarge(inputBytesMax)
  if (kind === 'json' && length > FIELDS_BYTES_MAX) throw tooLarge(FIELDS_BYTES_MAX, 'The JSON body')
  if (kind === 'multipart' && length > inputBytesMax + FIELDS_BYTES_MAX + MULTIPART_OVERHEAD_MAX) {
    throw tooLarge(inputBytesMax)
  }
}
