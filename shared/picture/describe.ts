/** Names what was sent instead of an image, for the person who sent it. */
import { markupOf, nameOf } from '#shared/magic.ts'

const NAMES: Record<string, string> = { tif: 'TIFF', jp2: 'JPEG 2000', jxl: 'JPEG XL' }

/** `SVG`, `TIFF (image/tiff)`, `text`. */
export async function describeBytes(head: Uint8Array): Promise<string> {
  const markup = markupOf(head)
  if (markup) return markup
  // Only the refused pay for loading it.
  const { fileTypeFromBuffer } = await import('file-type')
  const type = await fileTypeFromBuffer(head).catch(() => undefined)
  if (type) return `${NAMES[type.ext] ?? type.ext.toUpperCase()} (${type.mime})`
  // It knows more types than we do, but wants to see more of a file.
  return nameOf(head) ?? 'bytes of no known type'
}
