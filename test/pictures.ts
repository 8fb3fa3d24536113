/** Every kind of picture that the tests need, made here by sharp: none is stored in the repository. */
import sharp from 'sharp'

export interface PictureOptions {
  width?: number
  height?: number
  format?: 'jpeg' | 'png' | 'webp' | 'avif' | 'gif' | 'tiff'
  alpha?: boolean
  /** EXIF orientation, 1 to 8; the pixels are stored turned, so that the picture is upright when it is obeyed. */
  orientation?: number
  /** A profile that libvips knows (`p3`, `cmyk`, `srgb`) or the path of one. */
  profile?: string
  cmyk?: boolean
  sixteenBit?: boolean
  quality?: number
}

/** A smooth picture with an edge, red on its left third, green in the middle, blue on the right, lighter to the bottom. */
export function pixels(width: number, height: number, channels: 3 | 4 = 3): Buffer {
  const data = Buffer.alloc(width * height * channels)
  for (let y = 0, at = 0; y < height; y++) {
    const light = Math.floor((y / height) * 128)
    for (let x = 0; x < width; x++, at += channels) {
      const band = Math.floor((x / width) * 3)
      data[at] = (band === 0 ? 127 : 0) + light
      data[at + 1] = (band === 1 ? 127 : 0) + light
      data[at + 2] = (band === 2 ? 127 : 0) + light
      if (channels === 4) data[at + 3] = x < width / 2 ? 255 : 96
    }
  }
  return data
}

export async function picture(options: PictureOptions = {}): Promise<Buffer> {
  const { width = 1200, height = 900, format = 'jpeg', alpha = false, orientation, profile, quality = 85 } = options
  const channels = alpha ? 4 : 3
  const turned = orientation !== undefined && orientation >= 5
  let image = sharp(pixels(width, height, channels), { raw: { width, height, channels } })
  if (orientation !== undefined) {
    const undo: Record<number, number> = { 3: 180, 6: 270, 8: 90 }
    if (orientation !== 1 && undo[orientation] === undefined)
      throw new Error(`orientation ${orientation} is not made here`)
    image = sharp(
      await image
        .rotate(undo[orientation] ?? 0)
        .raw()
        .toBuffer(),
      {
        raw: { width: turned ? height : width, height: turned ? width : height, channels },
      },
    )
  }
  if (options.cmyk) image = image.toColourspace('cmyk')
  if (options.sixteenBit) image = image.toColourspace('rgb16')
  // Metadata first: it brings an sRGB profile along, which would take the place of ours.
  if (orientation !== undefined) image = image.withMetadata({ orientation })
  if (profile) image = image.withIccProfile(profile)
  return await image.toFormat(format, format === 'png' || format === 'gif' ? {} : { quality }).toBuffer()
}

/** An animated GIF or WebP of `frames` frames. */
export async function animation(
  frames = 3,
  format: 'gif' | 'webp' = 'gif',
  width = 160,
  height = 120,
): Promise<Buffer> {
  const pages = await Promise.all(
    Array.from({ length: frames }, (_, frame) => {
      return sharp({ create: { width, height, channels: 3, background: { r: frame * 60, g: 90, b: 200 } } })
        .png()
        .toBuffer()
    }),
  )
  return await sharp(pages, { join: { animated: true } })
    .toFormat(format)
    .toBuffer()
}

export function truncated(bytes: Buffer, keep = 0.4): Buffer {
  return bytes.subarray(0, Math.floor(bytes.length * keep))
}

/** Flips `count` bits at places that `seed` alone decides, none of them in the first `from` bytes. */
export function bitFlipped(bytes: Buffer, seed: number, count = 8, from = 0): Buffer {
  const copy = Buffer.from(bytes)
  let state = seed * 2654435761 + 1
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const at = from + (state % (copy.length - from))
    copy[at] = copy[at]! ^ (1 << (state >>> 29))
  }
  return copy
}
