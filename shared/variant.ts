/** What a variant is: how it is asked for, how big it becomes, what it may cost and where its bytes lie. */
import { AVIF_PIXELS_MAX } from './limits.ts'
import type { DerivedFormat } from './message.ts'

export const FITS = ['inside', 'cover'] as const
export type Fit = (typeof FITS)[number]
export const POSITIONS = ['centre', 'attention', 'entropy'] as const
export type Position = (typeof POSITIONS)[number]
export const OUTPUT_FORMATS = ['jpeg', 'webp', 'avif', 'png', 'auto'] as const
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]
/** A format with bytes behind it; `auto` becomes one of these when the picture is known. */
export type EncodedFormat = Exclude<OutputFormat, 'auto'>
export const INPUT_FORMATS = ['jpeg', 'png', 'webp', 'gif', 'avif'] as const
export type InputFormat = (typeof INPUT_FORMATS)[number]

export const QUALITY_DEFAULT: Record<EncodedFormat, number> = { jpeg: 80, webp: 79, avif: 60, png: 80 }
/** Encoding cost of a pixel, a JPEG's being 1. */
export const COST_WEIGHT: Record<OutputFormat, number> = { jpeg: 1, webp: 1, png: 1, auto: 1, avif: 8 }

export const MEDIA_TYPE: Record<EncodedFormat | InputFormat, string> = {
  jpeg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  gif: 'image/gif',
  avif: 'image/avif',
}
export const EXTENSION: Record<EncodedFormat | InputFormat, string> = {
  jpeg: 'jpg',
  png: 'png',
  webp: 'webp',
  gif: 'gif',
  avif: 'avif',
}

export const VARIANT_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/

/** A variant as asked for, every default filled in but the quality, which depends on what `auto` becomes. */
export interface VariantSpec {
  /** Unique in its task; grammar VARIANT_NAME, never `original`. */
  name: string
  /** Pixels of the box, seen upright; at least one of the two is set. */
  width: number | null
  height: number | null
  fit: Fit
  position: Position
  format: OutputFormat
  quality: number | null
}

export interface Size {
  width: number
  height: number
}

/**
 * The size of a variant, in pixels, from the original's upright size. Never enlarged: `inside` keeps the ratio within
 * the box; `cover` fills the box's ratio, and shrinks the box as a whole where the original is smaller than it.
 */
export function sizeOf(spec: Pick<VariantSpec, 'width' | 'height' | 'fit'>, original: Size): Size {
  const atLeastOne = (pixels: number): number => Math.max(1, Math.round(pixels))
  if (spec.fit === 'cover' && spec.width !== null && spec.height !== null) {
    const scale = Math.min(1, original.width / spec.width, original.height / spec.height)
    return { width: atLeastOne(spec.width * scale), height: atLeastOne(spec.height * scale) }
  }
  const scale = Math.min(1, (spec.width ?? Infinity) / original.width, (spec.height ?? Infinity) / original.height)
  return { width: atLeastOne(original.width * scale), height: atLeastOne(original.height * scale) }
}

/** Sum over variants of pixels × weight, after clamping to the original: what OUTPUT_COST_MAX limits. */
export function outputCost(specs: readonly VariantSpec[], original: Size): number {
  return specs.reduce((sum, spec) => {
    const { width, height } = sizeOf(spec, original)
    return sum + width * height * COST_WEIGHT[spec.format]
  }, 0)
}

/** Pixels of one frame that may be decoded of this format. */
export function pixelsMax(format: InputFormat, inputPixelsMax: number): number {
  return format === 'avif' ? Math.min(AVIF_PIXELS_MAX, inputPixelsMax) : inputPixelsMax
}

/**
 * The name of a stored file. Built from validated parts alone, never from text as sent: a path out of the storage
 * cannot be spelled. `input/{taskId}/original.jpg`, `output/{taskId}/1024x1024.jpg`.
 */
export type BlobKey = `${'input' | 'output'}/${string}/${string}.${string}`

const TASK_FOLDER = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const PICTURE = '[a-z0-9][a-z0-9_-]{0,63}\\.(?:jpg|png|webp|gif|avif)'

export const BLOB_KEY = new RegExp(
  `^(?:(?:input|output)/${TASK_FOLDER}/${PICTURE}|input/${TASK_FOLDER}/upload\\.(?:bin|json))$`,
)

export function originalKey(taskId: string, format: InputFormat): BlobKey {
  return `input/${taskId}/original.${EXTENSION[format]}`
}

/** What was sent to an upload's link, until it is a task's original. */
export function uploadKey(taskId: string): BlobKey {
  return `input/${taskId}/upload.bin`
}

/** What an upload was asked for with. */
export function uploadTermsKey(taskId: string): BlobKey {
  return `input/${taskId}/upload.json`
}

export function variantKey(taskId: string, name: string, format: EncodedFormat): BlobKey {
  return `output/${taskId}/${name}.${EXTENSION[format]}`
}

export interface StoredFile {
  key: BlobKey
  bytes: number
  /** Lower-case hex. */
  sha256: string
}

/** A variant that exists. */
export interface Variant extends StoredFile, Size {
  name: string
  mediaType: string
  /** Other encodings, made on first demand. */
  derived: Partial<Record<DerivedFormat, StoredFile>>
}
