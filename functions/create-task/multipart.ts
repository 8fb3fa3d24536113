/** multipart/form-data (RFC 7578): one file part named `image`, and fields before or after it. */
import type { BusboyFileStream, BusboyInstance } from '@fastify/busboy'
import { Buffer } from 'node:buffer'
import { tooLarge } from '#shared/body.ts'
import { FIELDS_BYTES_MAX, KIB } from '#shared/limits.ts'
import { MULTIPART_OVERHEAD_MAX } from './body.ts'
import { displayName } from '#shared/filename.ts'
import { invalid, shown } from '#shared/options/faults.ts'
import type { TextOption } from '#shared/options/given.ts'

const IMAGE_PART = 'image'
/** Parts of one body, the image among them; the options are fewer, but `variants` may be repeated. */
const PARTS_MAX = 64
/** Bytes and lines of one part's header. */
const PART_HEADER_BYTES_MAX = 8 * KIB
const PART_HEADER_LINES_MAX = 32

interface ImagePart {
  bytes: AsyncIterable<Uint8Array>
  /** As sent, without folders and control characters, for display alone. */
  filename: string | null
}

export interface Form<T> {
  fields: TextOption[]
  image: T
}

export interface FormOptions<T> {
  inputBytesMax: number
  /** Aborted when reading fails, so that nothing waits for chunks any more. */
  stop: AbortController
  take: (part: ImagePart) => Promise<T>
}

async function openParser(contentType: string): Promise<BusboyInstance> {
  // Not needed to answer anything but a form, and a cold start is measured.
  const { Busboy } = await import('@fastify/busboy')
  try {
    return new Busboy({
      headers: { 'content-type': contentType },
      limits: {
        parts: PARTS_MAX,
        fieldSize: FIELDS_BYTES_MAX,
        headerPairs: PART_HEADER_LINES_MAX,
        headerSize: PART_HEADER_BYTES_MAX,
      },
      // A part named `image` holds the image, however it is labelled.
      isPartAFile: (name, type, filename) =>
        filename !== undefined ||
        name === IMAGE_PART ||
        type === 'application/octet-stream' ||
        !!type?.startsWith('image/'),
    })
  } catch (cause) {
    throw invalid('', 'Expected multipart/form-data with a boundary, got none.', cause)
  }
}

interface Reading<T> {
  fields: TextOption[]
  image: Promise<T> | null
  file: BusboyFileStream | null
  /** The first thing that went wrong; everything after it follows from it. */
  fault: { error: unknown } | null
  finished: boolean
}

function readField(state: Reading<unknown>, count: (bytes: number) => void) {
  return (name: string | undefined, value: string, _nameTruncated: boolean, truncated: boolean): void => {
    count(Buffer.byteLength(value) + (truncated ? 1 : 0))
    state.fields.push([name ?? '', value])
  }
}

function refusedFile(name: string | undefined, state: Reading<unknown>): string | null {
  if (name !== IMAGE_PART) return `Expected the file in a part named "image", got one named ${shown(name ?? '')}.`
  return state.file ? 'Expected one image, got two.' : null
}

/**
 * Hands the image's bytes to `take` as they arrive, and writes to the parser no faster than they are taken. Rejects
 * with what went wrong first, but never before `take` has settled: whatever it stored is then known to the caller.
 */
export async function readForm<T>(
  contentType: string,
  chunks: AsyncIterable<Uint8Array>,
  { inputBytesMax, stop, take }: FormOptions<T>,
): Promise<Form<T>> {
  const parser = await openParser(contentType)
  const state: Reading<T> = { fields: [], image: null, file: null, fault: null, finished: false }
  let wake = (): void => {}
  const fail = (error: unknown): void => {
    if (state.fault) return
    state.fault = { error }
    // Busboy's file stream never settles on its own when its parser is left alone.
    state.file?.destroy(error instanceof Error ? error : new Error('The body could not be read.', { cause: error }))
    stop.abort(error)
    wake()
  }
  let fieldBytes = 0
  const count = (bytes: number): void => {
    fieldBytes += bytes
    if (fieldBytes > FIELDS_BYTES_MAX) fail(tooLarge(FIELDS_BYTES_MAX, 'All fields together'))
  }
  const malformed = (cause: unknown): void =>
    fail(invalid('', 'Expected multipart/form-data, got a body that is malformed or ends early.', cause))
  parser.on('field', readField(state, count))
  parser.on('partsLimit', () => fail(invalid('', `Expected at most ${PARTS_MAX} parts, got more.`)))
  parser.on('error', malformed)
  parser.on('drain', () => wake())
  parser.on('finish', () => {
    state.finished = true
    wake()
  })
  parser.on('file', (name: string | undefined, file, filename: string | undefined) => {
    file.on('error', malformed)
    const refusal = refusedFile(name, state)
    if (refusal !== null || state.fault) {
      file.resume()
      if (refusal !== null) fail(invalid(name ?? '', refusal))
      return
    }
    state.file = file
    state.image = take({ bytes: file, filename: displayName(filename) })
    state.image.catch(fail)
  })
  const woken = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve
    })
  try {
    let bytes = 0
    for await (const chunk of chunks) {
      bytes += chunk.length
      // The image is counted by whoever takes it; this bounds what surrounds it.
      if (bytes > inputBytesMax + FIELDS_BYTES_MAX + MULTIPART_OVERHEAD_MAX) fail(tooLarge(inputBytesMax))
      if (state.fault) break
      if (!parser.write(chunk) && !state.fault) await woken()
    }
    if (!state.fault) parser.end()
    while (!state.finished && !state.fault) await woken()
  } catch (error) {
    fail(error)
  }
  const [taken] = await Promise.allSettled([state.image])
  if (state.fault) throw state.fault.error
  if (taken.status === 'rejected') throw taken.reason
  if (taken.value === null) throw invalid(IMAGE_PART, 'Expected an image in a part named "image", got none.')
  return { fields: state.fields, image: taken.value }
}
