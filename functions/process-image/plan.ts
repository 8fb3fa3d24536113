/** In which order the variants of one picture are made, so that it is decoded once. */
import { type Size, sizeOf, type VariantSpec } from '#shared/variant.ts'

export interface Planned {
  spec: VariantSpec
  /** What comes out. */
  size: Size
  /** The whole picture, scaled so that the variant is cut from it or is it. */
  frame: Size
}

export interface Plan {
  /** The size at which the picture is decoded into memory. */
  base: Size
  /** Larger than base may be: each is decoded for itself, in a stream. */
  streamed: Planned[]
  /** Made from base, each frame from the one before: largest first. */
  cascaded: Planned[]
}

/** Pixels of the frame that is held in memory, 3 or 4 bytes each: room for 3840 × 2160. */
const BASE_PIXELS_MAX = 10_000_000
/** Longer side of the base when every variant is streamed: only the placeholder and the use of alpha come from it. */
const SIDE_OF_LOOK = 1024

function frameOf(spec: VariantSpec, size: Size, original: Size): Size {
  if (spec.fit === 'inside') return size
  const scale = Math.max(size.width / original.width, size.height / original.height)
  return {
    width: Math.max(size.width, Math.round(original.width * scale)),
    height: Math.max(size.height, Math.round(original.height * scale)),
  }
}

const pixels = ({ width, height }: Size): number => width * height

export function planOf(specs: readonly VariantSpec[], original: Size, basePixelsMax = BASE_PIXELS_MAX): Plan {
  const planned = specs
    .map((spec) => {
      const size = sizeOf(spec, original)
      return { spec, size, frame: frameOf(spec, size, original) }
    })
    .toSorted((a, b) => pixels(b.frame) - pixels(a.frame))
  const streamed = planned.filter(({ frame }) => pixels(frame) > basePixelsMax)
  const cascaded = planned.slice(streamed.length)
  const look = { width: SIDE_OF_LOOK, height: SIDE_OF_LOOK, fit: 'inside' } as const
  return { base: cascaded[0]?.frame ?? sizeOf(look, original), streamed, cascaded }
}
