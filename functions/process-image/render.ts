/** Pixels in, pixels out. The one file that knows sharp. */
import sharp, { type Sharp } from 'sharp'
import type { DerivedFormat } from '#shared/message.ts'
import {
  type EncodedFormat,
  INPUT_FORMATS,
  type InputFormat,
  type OutputFormat,
  QUALITY_DEFAULT,
  type Size,
  type VariantSpec,
} from '#shared/variant.ts'
import { decodingFailure, unsupported } from './failure.ts'
import { type Frame, type Look, lookOf } from './look.ts'
import { type Planned, planOf } from './plan.ts'

// A cache of operations only helps who makes the same picture twice. Threads: one a picture; concurrency is containers.
sharp.cache(false)
sharp.concurrency(1)
// An allow-list, since the next libvips may bring a loader that nobody here has thought of.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif'].flatMap((loader) =>
    ['File', 'Buffer', 'Source'].map((from) => `VipsForeignLoad${loader}${from}`),
  ),
})

/** On a photograph effort 4 takes 9 times the CPU of 2 (2.3 s against 0.25 s a megapixel) for files 6 % smaller. */
const AVIF_EFFORT = 2
/**
 * Pixels up to which a JPEG gets Huffman tables of its own. Beyond, they cost 14 % of a task's CPU for a photograph 1 %
 * smaller; below, they cost little and save 3 to 10 %.
 */
const OPTIMISED_PIXELS_MAX = 400_000
/**
 * For the decode alone, where most pixels are: saves 4 % of a task's CPU against Lanczos, from which it differs by 0.4
 * of 255 levels on a photograph. The steps after it are Lanczos.
 */
const DECODE_KERNEL = 'cubic'
/** Truncated files are refused. Lesser faults, of which many cameras make some, are forgiven by libjpeg as by browsers. */
const FAIL_ON = 'truncated'

/** What the header of a file says. */
export interface Picture {
  format: InputFormat
  /** Of the first frame, upright. */
  width: number
  height: number
  frames: number
  hasAlpha: boolean
  /** `other` is converted, which costs as much as all the rest; plain sRGB needs no conversion. */
  profile: 'none' | 'srgb' | 'other'
  /** As libvips names it: srgb, rgb16, b-w, grey16, cmyk. */
  space: string
}

export interface RenderedVariant {
  spec: VariantSpec
  size: Size
  format: EncodedFormat
  bytes: Buffer
}

export interface Rendering {
  look: Look
  /** One at a time, in an order of its own; the next is made when it is asked for. */
  variants: AsyncGenerator<RenderedVariant, void>
}

export interface RenderOptions {
  variants: readonly VariantSpec[]
  /** `#rrggbb`, behind alpha in a JPEG. */
  background: string
}

/** Of the sRGB profile that libvips, and so sharp, embeds: the MD5 of its content (ICC.1:2022 §7.2.18). */
const VIPS_SRGB_ID = '79e9bf565a3e01b68323855546f74faa'

/** The manufacturer and model of the profile that nearly every camera and program embeds (ICC.1:2022 §7.2). */
function profileOf(icc: Buffer | undefined, space: string): Picture['profile'] {
  if (!icc) return 'none'
  const plain = icc.toString('latin1', 48, 56) === 'IEC sRGB' && icc.toString('latin1', 16, 20) === 'RGB '
  // Of 8 bits every colour comes out of it as it went in; of 16 some are rounded to their neighbour.
  const ofVips = space === 'srgb' && icc.toString('hex', 84, 100) === VIPS_SRGB_ID
  return plain || ofVips ? 'srgb' : 'other'
}

/**
 * Reads the header of a file; decodes no pixel.
 * @throws PermanentFailure `unsupported-image` or `image-corrupt`
 */
export async function inspect(path: string): Promise<Picture> {
  const header = await sharp(path, { limitInputPixels: false, failOn: FAIL_ON })
    .metadata()
    .catch((error: unknown) => {
      throw /unsupported image format/i.test(String(error)) ? unsupported(null) : decodingFailure(error)
    })
  const heif = header.format === 'heif'
  // HEIC is the same box format around patented HEVC.
  if (heif && header.compression !== 'av1') throw unsupported('HEIC')
  const format = heif ? 'avif' : INPUT_FORMATS.find((known) => known === header.format)
  if (!format) throw unsupported(header.format.toUpperCase())
  return {
    format,
    ...header.autoOrient,
    frames: header.pages ?? 1,
    hasAlpha: header.hasAlpha,
    profile: profileOf(header.icc, header.space),
    space: header.space,
  }
}

function decoding<T>(pixels: Promise<T>): Promise<T> {
  return pixels.catch((error: unknown) => {
    throw decodingFailure(error)
  })
}

/** The picture as a stream of pixels: upright, in sRGB, first frame only. */
function open(path: string, picture: Picture): Sharp {
  const image = sharp(path, {
    autoOrient: true,
    failOn: FAIL_ON,
    ignoreIcc: picture.profile === 'srgb',
    // The caller has allowed what the header said, and the decoder is held to it.
    limitInputPixels: picture.width * picture.height,
  })
  // With 16 bits sharp converts RGB to P3 instead of sRGB and drops a grey profile; with 8 it does neither.
  if (picture.profile !== 'other') return image
  if (picture.space === 'rgb16') return image.pipelineColourspace('srgb')
  if (picture.space === 'grey16') return image.pipelineColourspace('b-w')
  return image
}

function ofFrame({ data, ...raw }: Frame): Sharp {
  return sharp(data, { raw })
}

async function toFrame(image: Sharp): Promise<Frame> {
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true })
  return { data, width: info.width, height: info.height, channels: info.channels === 4 ? 4 : 3 }
}

/**
 * The one decode: the whole picture at the size of the largest variant. The resize stands in the same pipeline, so that
 * JPEG and WebP shrink while they decode.
 */
async function decode(path: string, picture: Picture, { width, height }: Size, background: string | null) {
  const shrunk = open(path, picture).resize(width, height, { fit: 'fill', kernel: DECODE_KERNEL })
  // A coloured background needs three bands, which a grey picture has only once it is decoded.
  const grey = picture.space === 'b-w' || picture.space === 'grey16'
  const flat = (image: Sharp): Sharp => (background === null || grey ? image : image.flatten({ background }))
  if (picture.profile !== 'other' || picture.space !== 'srgb') return await toFrame(flat(shrunk))
  // Pictures of phones are mostly in Display P3. To shrink first and convert what is left halves their cost; an
  // uncompressed PNG carries the profile from one pipeline to the next.
  const carrier = await shrunk.keepIccProfile().png({ compressionLevel: 0 }).toBuffer()
  return await toFrame(flat(sharp(carrier)))
}

function usesAlpha({ data, channels }: Frame): boolean {
  if (channels === 3) return false
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return true
  return false
}

function asWebp(image: Sharp, quality = QUALITY_DEFAULT.webp): Promise<Buffer> {
  return image.webp({ quality }).toBuffer()
}

function asAvif(image: Sharp, quality = QUALITY_DEFAULT.avif): Promise<Buffer> {
  return image.avif({ quality, effort: AVIF_EFFORT }).toBuffer()
}

interface EncodeOptions {
  size: Size
  background: string
}

function encode(image: Sharp, format: EncodedFormat, asked: number | null, { size, background }: EncodeOptions) {
  const quality = asked ?? QUALITY_DEFAULT[format]
  if (format === 'jpeg') {
    const optimiseCoding = size.width * size.height <= OPTIMISED_PIXELS_MAX
    return image.flatten({ background }).jpeg({ quality, optimiseCoding }).toBuffer()
  }
  if (format === 'webp') return asWebp(image, quality)
  if (format === 'avif') return asAvif(image, quality)
  // No quality: sharp would take it as a wish for a palette.
  return image.png().toBuffer()
}

function cut(image: Sharp, { spec, size }: Planned): Sharp {
  if (spec.fit === 'inside') return image.resize(size.width, size.height, { fit: 'fill' })
  return image.resize(size.width, size.height, { fit: 'cover', position: spec.position })
}

/**
 * Makes all variants from one decode. The file was inspected, and its picture allowed.
 * @throws PermanentFailure `image-corrupt`, at once or from the variants
 */
export async function render(path: string, picture: Picture, options: RenderOptions): Promise<Rendering> {
  const { variants: specs, background } = options
  const { base, streamed, cascaded } = planOf(specs, picture)
  const onlyJpeg = specs.every(({ format }) => format === 'jpeg')
  const frame = await decoding(decode(path, picture, base, picture.hasAlpha && onlyJpeg ? background : null))
  const auto = usesAlpha(frame) ? 'webp' : 'jpeg'
  const formatOf = (format: OutputFormat): EncodedFormat => (format === 'auto' ? auto : format)

  async function* variants(): AsyncGenerator<RenderedVariant, void> {
    for (const planned of streamed) {
      const { spec, size } = planned
      const format = formatOf(spec.format)
      const bytes = await decoding(
        encode(cut(open(path, picture), planned), format, spec.quality, { size, background }),
      )
      yield { spec, size, format, bytes }
    }
    let current = frame
    for (const [index, planned] of cascaded.entries()) {
      const { spec, size } = planned
      const same = size.width === current.width && size.height === current.height
      // A cover is no whole picture, and after the last one nothing more is made.
      const carriesOn = spec.fit === 'inside' && !same && index < cascaded.length - 1
      if (carriesOn) current = await toFrame(cut(ofFrame(current), planned))
      const format = formatOf(spec.format)
      const bytes = await encode(cut(ofFrame(current), planned), format, spec.quality, { size, background })
      yield { spec, size, format, bytes }
    }
  }
  return { look: lookOf(frame), variants: variants() }
}

/**
 * Another encoding of a variant that we made: a JPEG in sRGB, upright, without a profile.
 * @throws PermanentFailure `image-corrupt`
 */
export async function transcode(path: string, format: DerivedFormat): Promise<Buffer> {
  const image = sharp(path, { failOn: FAIL_ON })
  return await decoding(format === 'webp' ? asWebp(image) : asAvif(image))
}
