/** Reads `Accept` (RFC 9110 §12.5.1). */

export interface MediaRange {
  /** Lower case: `image/webp`, `image/*`. */
  type: string
  /** 0 to 1. */
  q: number
}

const QUALITY = /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/

/** The ranges as they were named, parameters but `q` left out; one that is malformed is as if it were not there. */
export function parseAccept(header: string | undefined): MediaRange[] {
  const ranges: MediaRange[] = []
  // A quoted value may hold commas and semicolons, and none of the parameters that are quoted matters here.
  const unquoted = (header ?? '').replace(/"(?:\\.|[^"\\])*"/g, '')
  for (const part of unquoted.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase())
    const q = parameters.find((parameter) => /^q\s*=/.test(parameter))?.replace(/^q\s*=\s*/, '') ?? '1'
    if (/^[^\s/]+\/[^\s/]+$/.test(type) && QUALITY.test(q)) ranges.push({ type, q: Number(q) })
  }
  return ranges
}

/** The quality of a type that is named in full; undefined when only a wildcard, or nothing, covers it. */
export function namedQuality(ranges: readonly MediaRange[], type: string): number | undefined {
  return ranges.find((range) => range.type === type)?.q
}

/** The quality of a type by the most specific range that covers it; 0 when none does. */
export function quality(ranges: readonly MediaRange[], type: string): number {
  const group = `${type.split('/', 1)[0]}/*`
  return namedQuality(ranges, type) ?? namedQuality(ranges, group) ?? namedQuality(ranges, '*/*') ?? 0
}
