/** The original of a task whose image lies behind a URL: fetched once, into the blob store. */
import type { Bindings } from '#shared/bindings.ts'
import { Problem } from '#shared/errors.ts'
import { formatOf, MAGIC_BYTES, nameOf } from '#shared/magic.ts'
import { MIB } from '#shared/limits.ts'
import type { Source } from '#shared/task.ts'
import { MEDIA_TYPE, originalKey } from '#shared/variant.ts'
import { PermanentFailure, unsupported } from './failure.ts'

type Bytes = AsyncGenerator<Uint8Array, void>

/** Statuses that ask for another try; any other that is no success will be the same tomorrow. */
function mayPass(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429
}

function tooLarge(max: number): PermanentFailure {
  const limit = max >= MIB ? `${Math.floor(max / MIB)} MiB` : `${max} bytes`
  return new PermanentFailure('too-large', `The file behind the URL is larger than the ${limit} that are accepted.`)
}

/** Counts what arrives. Whoever leaves it early closes the connection. */
async function* counted(body: ReadableStream<Uint8Array>, max: number): Bytes {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > max) throw tooLarge(max)
    yield chunk
  }
}

async function readHead(bytes: Bytes): Promise<Buffer> {
  let head = Buffer.alloc(0)
  while (head.length < MAGIC_BYTES) {
    const { done, value } = await bytes.next()
    if (done) break
    head = Buffer.concat([head, value])
  }
  return head
}

async function* joined(head: Uint8Array, rest: Bytes): Bytes {
  yield head
  yield* rest
}

async function request(fetch: Bindings['fetch'], url: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch.request(url, { method: 'GET', signal }).catch((error: unknown) => {
    if (error instanceof Problem && error.code === 'url-not-allowed') {
      throw new PermanentFailure(error.code, error.message, { cause: error })
    }
    throw error
  })
  if (response.ok) return response
  await response.body?.cancel()
  const detail = `The URL of the image answered with status ${response.status}.`
  if (!mayPass(response.status)) throw new PermanentFailure('source-unreachable', detail)
  const retryAfter = response.headers.get('retry-after')
  throw new Problem('source-unreachable', detail, { headers: retryAfter ? { 'Retry-After': retryAfter } : {} })
}

/**
 * Fetches and stores the original of a `url` source, and returns the source with what is known of it now.
 * @throws PermanentFailure `url-not-allowed`, `too-large`, `unsupported-image`, `source-unreachable` (status 4xx)
 * @throws Problem `source-unreachable`, `source-timeout`, `unavailable`: worth another try
 */
export async function fetchOriginal(env: Bindings, taskId: string, source: Source, url: string): Promise<Source> {
  const { settings, invocation } = env
  const response = await request(env.fetch, url, invocation.signal)
  if (!response.body) throw unsupported('empty')
  const announced = Number(response.headers.get('content-length') ?? 0)
  const bytes = counted(response.body, settings.inputBytesMax)
  try {
    if (announced > settings.inputBytesMax) throw tooLarge(settings.inputBytesMax)
    const head = await readHead(bytes)
    const format = formatOf(head)
    if (format === null) throw unsupported(nameOf(head))
    const stored = await env.blobs.put(originalKey(taskId, format), joined(head, bytes), invocation.signal)
    const { key, sha256 } = stored
    return { ...source, key, mediaType: MEDIA_TYPE[format], bytes: stored.bytes, sha256 }
  } finally {
    await bytes.return()
  }
}
