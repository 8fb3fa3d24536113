/** Which encoding of a variant a request wants. */
import { parseAccept, namedQuality, quality } from '#shared/accept.ts'
import { DERIVED_FORMATS, type DerivedFormat } from '#shared/message.ts'
import { invalid } from '#shared/options/faults.ts'
import { MEDIA_TYPE, type Variant } from '#shared/variant.ts'

export type Format = DerivedFormat | 'jpeg'

export interface Choice {
  /** `own`: as it was stored. */
  format: DerivedFormat | 'own'
  /** True when `Accept` decided, or could have. */
  negotiated: boolean
}

/**
 * The best of JPEG, WebP and AVIF by the client's `q`, then by size: AVIF, WebP, JPEG. Only a type that is named counts
 * as wanted: every client sends a wildcard, able to show AVIF or not.
 */
export function preferred(accept: string | undefined): Format {
  const ranges = parseAccept(accept)
  let best: { format: Format; q: number } = { format: 'jpeg', q: quality(ranges, MEDIA_TYPE.jpeg) }
  // The better of two equals comes last and takes the place.
  for (const format of DERIVED_FORMATS) {
    const q = namedQuality(ranges, MEDIA_TYPE[format]) ?? 0
    if (q > 0 && q >= best.q) best = { format, q }
  }
  return best.format
}

/** Throws Problem `invalid-request` when the variant cannot be had in the asked format. */
export function chooseFormat(
  variant: Pick<Variant, 'name' | 'mediaType'>,
  asked: Format | undefined,
  accept: string | undefined,
  negotiate: boolean,
): Choice {
  const isJpeg = variant.mediaType === MEDIA_TYPE.jpeg
  if (asked !== undefined) {
    if (MEDIA_TYPE[asked] === variant.mediaType) return { format: 'own', negotiated: false }
    if (isJpeg && asked !== 'jpeg') return { format: asked, negotiated: false }
    const detail = `Variant ${variant.name} is ${variant.mediaType}; only a JPEG variant can be had in another format.`
    throw invalid('format', detail)
  }
  if (!isJpeg || !negotiate) return { format: 'own', negotiated: false }
  const format = preferred(accept)
  return { format: format === 'jpeg' ? 'own' : format, negotiated: true }
}
