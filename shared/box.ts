/** A box that a variant fits into: `WxH`, `Wx`, `xH`, or `WxH:cover`, which it fills. */
import { SIDE_MAX, SIDE_MIN } from './limits.ts'
import type { VariantSpec } from './variant.ts'

export const BOX = /^([1-9]\d{0,4})?x([1-9]\d{0,4})?(:cover)?$/

export type Box = Pick<VariantSpec, 'width' | 'height' | 'fit'>

/** What was expected instead, where it is none. */
export function parseBox(text: string): Box | string {
  const match = BOX.exec(text)
  if (!match || (match[1] === undefined && match[2] === undefined)) return 'WxH, Wx, xH or WxH:cover'
  const [, across, down, cover] = match
  const width = across === undefined ? null : Number(across)
  const height = down === undefined ? null : Number(down)
  if ([width, height].some((side) => side !== null && side > SIDE_MAX)) {
    return `sides from ${SIDE_MIN} to ${SIDE_MAX} pixels`
  }
  if (cover && (width === null || height === null)) return 'both sides for a cover'
  return { width, height, fit: cover ? 'cover' : 'inside' }
}
