/** An image's bytes on their way to where they are kept: typed by their magic, counted, and their header read. */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import type { Bindings, Settings } from '#shared/bindings.ts'
import { tooLarge } from '#shared/body.ts'
import { InvocationEnded, Problem, unavailable } from '#shared/errors.ts'
import { formatOf, MAGIC_BYTES } from '#shared/magic.ts'
import { invalid } from '#shared/options/faults.ts'
import { type BlobKey, type InputFormat, originalKey, pixelsMax } from '#shared/variant.ts'
import { describeBytes } from './describe.ts'
import { type Header, type Inspection, isHeader } from './header.ts'
import { inspector } from './inspect.ts'

type Bytes = AsyncIterable<Uint8Array>

/** Takes all bytes, or rejects. */
export type Sink = (key: BlobKey, bytes: Bytes) => Promise<{ bytes: number; sha256: string }>

export interface Received {
  key: BlobKey
  format: InputFormat
  bytes: number
  sha256: string
  /** Null where only a decoder can read it. */
  header: Header | null
}

/** Tells the bytes' hash and keeps nothing: for a request that was answered before. */
export const hashOnly: Sink = async (_key, source) => {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of source) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** What of an image this request alone has stored, and must remove when it fails. */
export interface Deposit {
  /** A put was begun: even a failed one may have left a folder. */
  begun: boolean
  /** Set when the blob is there and this request's put made it. */
  key: BlobKey | null
}

/**
 * Stores under a task's id. Where an earlier request under the same Idempotency-Key may have stored before
 * (`takenOver`), its bytes stay, and are accepted only when they are the same.
 */
export function storeIn({ blobs, invocation }: Bindings, deposit: Deposit, takenOver: boolean): Sink {
  return async (key, source) => {
    deposit.begun = true
    const tap = takenOver ? hashed(source) : null
    const put = blobs.put(key, tap ? tap.bytes : source, invocation.signal)
    const stored = await put.catch((error: unknown) => {
      tap?.close()
      if (error instanceof Problem || error instanceof InvocationEnded) throw error
      if (invocation.signal.aborted) throw new Problem('request-timeout', 'The request ended early.', { cause: error })
      throw unavailable('blob store', error)
    })
    if (stored.created) deposit.key = key
    else if (tap && (await tap.digest()) !== stored.sha256) {
      throw new Problem('idempotency-key-reused', 'This Idempotency-Key was used with another image.')
    }
    return stored
  }
}

/** Hashes on the way; `digest` takes what a store that had the file already has not read. */
function hashed(source: Bytes): { bytes: Bytes; digest: () => Promise<string>; close: () => void } {
  const hash = createHash('sha256')
  const iterator = source[Symbol.asyncIterator]()
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    const result = await iterator.next()
    if (result.done !== true) hash.update(result.value)
    return result
  }
  // No `return`: whoever stops early must not end the source, its rest is still to be hashed.
  const bytes: Bytes = { [Symbol.asyncIterator]: () => ({ next }) }
  const digest = async (): Promise<string> => {
    while ((await next()).done !== true) continue
    return hash.digest('hex')
  }
  const close = (): void => void iterator.return?.().then(undefined, () => undefined)
  return { bytes, digest, close }
}

const counted = (pixels: number): string => pixels.toLocaleString('en-US')

export function refusePixels(pixels: number, format: InputFormat, settings: Settings): void {
  const max = pixelsMax(format, settings.inputPixelsMax)
  if (pixels <= max) return
  const label = format.toUpperCase()
  // In full: rounded, one pixel too many reads as just enough.
  const detail = `The image has ${counted(pixels)} pixels; ${label} may have at most ${counted(max)}.`
  throw new Problem('image-too-many-pixels', detail)
}

function judge(found: Inspection, format: InputFormat, settings: Settings): void {
  if (found === 'corrupt') {
    throw new Problem('image-corrupt', `The header of the ${format.toUpperCase()} image is damaged or cut off.`)
  }
  if (isHeader(found)) refusePixels(found.pixels, format, settings)
}

interface Peeked {
  chunks: Uint8Array[]
  format: InputFormat
}

/** As many chunks as tell the format; what MAGIC_BYTES do not tell is refused. */
async function peek(iterator: AsyncIterator<Uint8Array>): Promise<Peeked> {
  const chunks: Uint8Array[] = []
  for (let bytes = 0; ;) {
    const { done, value } = await iterator.next()
    if (done !== true) {
      chunks.push(value)
      bytes += value.length
    }
    const head = Buffer.concat(chunks, Math.min(bytes, MAGIC_BYTES))
    const format = formatOf(head)
    if (format !== null) return { chunks, format }
    if (done === true && bytes === 0) throw invalid('', 'Expected an image, got an empty file.')
    if (done === true || bytes >= MAGIC_BYTES) return await refuseType(head)
  }
}

async function refuseType(head: Buffer): Promise<never> {
  const found = await describeBytes(head)
  throw new Problem('unsupported-image', `Expected a JPEG, PNG, WebP, GIF or AVIF image, got ${found}.`)
}

interface Check {
  format: InputFormat
  settings: Settings
  first: Uint8Array[]
  rest: AsyncIterator<Uint8Array>
  /** Told what the header says, each time more is known. */
  learn: (found: Inspection) => void
  failed: (error: unknown) => void
}

/** Passes the bytes on, and throws as soon as they show that the image is refused. */
async function* checked({ format, settings, first, rest, learn, failed }: Check): AsyncGenerator<Uint8Array> {
  const { inputBytesMax } = settings
  const header = inspector(format)
  let bytes = 0
  const check = (chunk: Uint8Array): Uint8Array => {
    bytes += chunk.length
    if (bytes > inputBytesMax) throw tooLarge(inputBytesMax)
    learn(header.push(chunk))
    return chunk
  }
  try {
    for (const chunk of first) yield check(chunk)
    for (;;) {
      const { done, value } = await rest.next()
      if (done === true) break
      yield check(value)
    }
    learn(header.end())
  } catch (error) {
    failed(error)
    throw error
  }
}

/** Reads an image to its end into the sink; the extension of its key follows from its first bytes. */
export async function receiveImage(source: Bytes, taskId: string, settings: Settings, sink: Sink): Promise<Received> {
  const rest = source[Symbol.asyncIterator]()
  const seen: { header: Header | null; fault: { error: unknown } | null } = { header: null, fault: null }
  try {
    const { chunks: first, format } = await peek(rest)
    const learn = (found: Inspection): void => {
      judge(found, format, settings)
      if (isHeader(found)) seen.header = found
    }
    const failed = (error: unknown): void => {
      seen.fault ??= { error }
    }
    const key = originalKey(taskId, format)
    const stored = await sink(key, checked({ format, settings, first, rest, learn, failed }))
    return { key, format, bytes: stored.bytes, sha256: stored.sha256, header: seen.header }
  } catch (error) {
    // What the source throws, a store may wrap: the first fault is the reason.
    throw seen.fault ? seen.fault.error : error
  } finally {
    // Not awaited: a source that waits for its sender would keep the refusal waiting too.
    rest.return?.().then(undefined, () => undefined)
  }
}
