/** What a page can show before the picture is there: a ThumbHash and the mean colour, from pixels already decoded. */
import { rgbaToThumbHash } from 'thumbhash'
import type { Size } from '#shared/variant.ts'

export interface Look {
  /** ThumbHash, base64. */
  placeholder: string
  /** `#rrggbb`; null where every pixel is transparent. */
  color: string | null
}

/** Interleaved 8-bit pixels, RGB or RGBA. */
export interface Frame extends Size {
  data: Buffer
  channels: 3 | 4
}

/** Longer side of what is hashed, in pixels. A ThumbHash keeps 7 waves of a side: more pixels change nothing. */
const HASHED_SIDE = 32
/** Pixels looked at in each direction for one that is hashed. All of them would cost more than the hash is worth. */
const SAMPLES = 4

/** Means of evenly spread pixels; each counts as much as it is opaque, so that what is hidden tints nothing. */
function shrink({ data, width, height, channels }: Frame, small: Size): Uint8Array {
  const rgba = new Uint8Array(small.width * small.height * 4)
  const columns = small.width * SAMPLES
  const rows = small.height * SAMPLES
  for (let at = 0; at < rgba.length; at += 4) {
    const left = ((at / 4) % small.width) * SAMPLES
    const top = Math.floor(at / 4 / small.width) * SAMPLES
    let [red, green, blue, weight] = [0, 0, 0, 0]
    for (let sample = 0; sample < SAMPLES * SAMPLES; sample++) {
      const x = Math.floor(((left + (sample % SAMPLES) + 0.5) / columns) * width)
      const y = Math.floor(((top + Math.floor(sample / SAMPLES) + 0.5) / rows) * height)
      const from = (y * width + x) * channels
      const alpha = channels === 4 ? data[from + 3]! : 255
      red += data[from]! * alpha
      green += data[from + 1]! * alpha
      blue += data[from + 2]! * alpha
      weight += alpha
    }
    const seen = weight || 1
    rgba[at] = Math.round(red / seen)
    rgba[at + 1] = Math.round(green / seen)
    rgba[at + 2] = Math.round(blue / seen)
    rgba[at + 3] = Math.round(weight / (SAMPLES * SAMPLES))
  }
  return rgba
}

function meanColour(rgba: Uint8Array): string | null {
  const sums = [0, 0, 0]
  let weight = 0
  for (let at = 0; at < rgba.length; at += 4) {
    const alpha = rgba[at + 3]!
    for (let band = 0; band < 3; band++) sums[band]! += rgba[at + band]! * alpha
    weight += alpha
  }
  if (weight === 0) return null
  const hex = sums.map((sum) => {
    return Math.round(sum / weight)
      .toString(16)
      .padStart(2, '0')
  })
  return `#${hex.join('')}`
}

export function lookOf(frame: Frame): Look {
  const scale = Math.min(1, HASHED_SIDE / Math.max(frame.width, frame.height))
  const small = {
    width: Math.max(1, Math.round(frame.width * scale)),
    height: Math.max(1, Math.round(frame.height * scale)),
  }
  const rgba = shrink(frame, small)
  const placeholder = Buffer.from(rgbaToThumbHash(small.width, small.height, rgba)).toString('base64')
  return { placeholder, color: meanColour(rgba) }
}
