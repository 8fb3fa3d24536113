/** The faults that no retry mends, as a type of their own: whoever throws one ends the task with it. */
import type { ProblemCode } from '#shared/errors.ts'
import { INPUT_FORMATS, type InputFormat, type Size } from '#shared/variant.ts'

/** The message is written for the person who sent the image, and holds no path. */
export class PermanentFailure extends Error {
  override readonly name = 'PermanentFailure'
  readonly code: ProblemCode

  constructor(code: ProblemCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const LABEL: Record<InputFormat, string> = { jpeg: 'JPEG', png: 'PNG', webp: 'WebP', gif: 'GIF', avif: 'AVIF' }
const ACCEPTED = INPUT_FORMATS.map((format) => LABEL[format]).join(', ')

/** `found` is a name of what the bytes are, or null where they are nothing that we know. */
export function unsupported(found: string | null): PermanentFailure {
  const what = found === null ? 'no image that we know' : found
  return new PermanentFailure('unsupported-image', `The file is ${what}. Accepted are ${ACCEPTED}.`)
}

function corrupt(cause: unknown): PermanentFailure {
  const message = 'The image is damaged or incomplete and cannot be decoded. Please send another copy of it.'
  return new PermanentFailure('image-corrupt', message, { cause })
}

export function tooManyPixels({ width, height }: Size, format: InputFormat, max: number): PermanentFailure {
  const count = (pixels: number): string => pixels.toLocaleString('en-US')
  return new PermanentFailure(
    'image-too-many-pixels',
    `The image has ${width} × ${height} pixels, ${count(width * height)} together; ` +
      `${LABEL[format]} is accepted up to ${count(max)}.`,
  )
}

export function tooCostly(cost: number, max: number): PermanentFailure {
  return new PermanentFailure(
    'output-too-costly',
    `The variants have ${cost.toLocaleString('en-US')} weighted pixels together, at most ${max.toLocaleString('en-US')} are made. ` +
      'Ask for fewer, for smaller ones, or for another format than AVIF.',
  )
}

/** Messages of libvips that blame the machine, not the picture: these are worth another try. */
const MACHINE = /out of memory|allocate|no space left|too many open files|input file is missing|permission denied/i

/** What an error of decoding means. libvips has no error codes, so what does not blame the machine blames the bytes. */
export function decodingFailure(error: unknown): unknown {
  if (!(error instanceof Error) || MACHINE.test(error.message)) return error
  return corrupt(error)
}
