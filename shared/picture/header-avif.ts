/** The primary item's size out of an AVIF's meta box (ISO/IEC 23008-12 §6.5, ISO/IEC 14496-12 §8.11). */
import type { Buffer } from 'node:buffer'
import type { Size } from '#shared/variant.ts'
import type { Inspection } from './header.ts'

interface Box {
  type: string
  /** Of its content. */
  start: number
  end: number
}

/** `null` where the box runs past the bytes at hand or is no box. */
function boxAt(bytes: Buffer, at: number): Box | null {
  if (at + 16 > bytes.length) return null
  const type = bytes.toString('latin1', at + 4, at + 8)
  const size = bytes.readUInt32BE(at)
  // 1: a 64-bit size follows; 0: to the end of the file.
  if (size === 1) return { type, start: at + 16, end: at + Number(bytes.readBigUInt64BE(at + 8)) }
  if (size === 0) return { type, start: at + 8, end: Infinity }
  return size < 8 ? null : { type, start: at + 8, end: at + size }
}

/** The boxes between two places, in order, each with its content whole. */
function* boxes(bytes: Buffer, from: number, to: number): Generator<Box & { content: Buffer }> {
  for (let at = from; at + 8 <= to;) {
    const size = bytes.readUInt32BE(at)
    if (size < 8 || at + size > to) return
    const type = bytes.toString('latin1', at + 4, at + 8)
    yield { type, start: at + 8, end: at + size, content: bytes.subarray(at + 8, at + size) }
    at += size
  }
}

/** Full boxes begin with a version and 24 flags. */
function primaryItem(pitm: Buffer): number {
  return pitm[0] === 0 ? pitm.readUInt16BE(4) : pitm.readUInt32BE(4)
}

/** Indices (from 1) into ipco of an item's properties, in the order in which they are applied. */
function propertiesOf(ipma: Buffer, item: number): number[] {
  const wideId = ipma[0] !== 0
  const wideIndex = (ipma[3]! & 1) === 1
  const entries = ipma.readUInt32BE(4)
  for (let i = 0, at = 8; i < entries; i++) {
    const id = wideId ? ipma.readUInt32BE(at) : ipma.readUInt16BE(at)
    at += wideId ? 4 : 2
    const count = ipma.readUInt8(at++)
    const indices: number[] = []
    for (let j = 0; j < count; j++, at += wideIndex ? 2 : 1) {
      // The top bit only says that the property is essential.
      indices.push(wideIndex ? ipma.readUInt16BE(at) & 0x7fff : ipma.readUInt8(at) & 0x7f)
    }
    if (id === item) return indices
  }
  return []
}

/** A crop to N/D by N/D pixels; one that does not lie within the picture is ignored. */
function cropped({ width, height }: Size, clap: Buffer): Size {
  const across = Math.round(clap.readUInt32BE(0) / clap.readUInt32BE(4))
  const down = Math.round(clap.readUInt32BE(8) / clap.readUInt32BE(12))
  return across >= 1 && across <= width && down >= 1 && down <= height
    ? { width: across, height: down }
    : { width, height }
}

function inspectMeta(meta: Buffer): Inspection {
  let item: number | null = null
  let ipma: Buffer | null = null
  const properties: Array<{ type: string; content: Buffer }> = []
  for (const box of boxes(meta, 4, meta.length)) {
    if (box.type === 'pitm') item = primaryItem(box.content)
    if (box.type !== 'iprp') continue
    for (const child of boxes(meta, box.start, box.end)) {
      if (child.type === 'ipma') ipma ??= child.content
      if (child.type === 'ipco') properties.push(...boxes(meta, child.start, child.end))
    }
  }
  if (item === null || ipma === null) return 'unknown'
  let size: Size | null = null
  let pixels = 0
  for (const index of propertiesOf(ipma, item)) {
    const property = properties[index - 1]
    if (property?.type === 'ispe') {
      size = { width: property.content.readUInt32BE(4), height: property.content.readUInt32BE(8) }
      pixels = size.width * size.height
    } else if (property?.type === 'clap' && size) size = cropped(size, property.content)
    else if (property?.type === 'irot' && size && (property.content.readUInt8(0) & 1) === 1) {
      size = { width: size.height, height: size.width }
    }
  }
  if (size === null) return 'unknown'
  return size.width === 0 || size.height === 0 ? 'corrupt' : { ...size, pixels, upright: true }
}

export function avifHeader(bytes: Buffer): Inspection {
  for (let at = 0; ;) {
    const box = boxAt(bytes, at)
    if (box === null || box.end <= at) return at + 16 > bytes.length ? 'more' : 'unknown'
    if (box.type === 'meta') {
      if (box.end > bytes.length) return box.end === Infinity ? 'unknown' : 'more'
      try {
        return inspectMeta(bytes.subarray(box.start, box.end))
      } catch (error) {
        // A box that is shorter than its fields.
        if (error instanceof RangeError) return 'unknown'
        throw error
      }
    }
    if (box.end > bytes.length) return 'more'
    at = box.end
  }
}
