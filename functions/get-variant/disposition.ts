/** `Content-Disposition` of an original (RFC 6266, RFC 8187). */

const NAME_CHARS_MAX = 120
const EXTENSIONS: Record<string, readonly string[]> = {
  'image/jpeg': ['jpg', 'jpeg', 'jpe', 'jfif'],
  'image/png': ['png'],
  'image/webp': ['webp'],
  'image/gif': ['gif'],
  'image/avif': ['avif'],
}

/**
 * A name that is safe to save under: without folders, control characters, characters that reorder what is shown, and
 * always with an extension of what the bytes are: a picture sent as `cat.html` is saved as `cat.html.jpg`.
 */
export function safeFilename(filename: string | null, mediaType: string | null): string {
  const extensions = EXTENSIONS[mediaType ?? ''] ?? ['bin']
  const base = (filename ?? '').toWellFormed().split(/[/\\]/).at(-1)!
  // \p{C}: control, format (bidirectional marks among them), private, unassigned.
  const clean = base.replace(/[\p{C}\p{Zl}\p{Zp}<>:"|?*]/gu, '').replace(/^[\s.]+|[\s.]+$/g, '')
  if (clean === '') return `original.${extensions[0]}`
  const dot = clean.lastIndexOf('.')
  const fits = dot > 0 && extensions.includes(clean.slice(dot + 1).toLowerCase())
  const stem = fits ? clean.slice(0, dot) : clean
  // A pair that is cut in two leaves a half, which no encoding has.
  const short = stem.slice(0, NAME_CHARS_MAX).replace(/[\uD800-\uDBFF]$/, '')
  return `${short}.${fits ? clean.slice(dot + 1) : extensions[0]}`
}

/** encodeURIComponent leaves `!'()*` as they are, of which RFC 8187 allows `!` alone. */
function extended(name: string): string {
  return encodeURIComponent(name).replace(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** For clients that know no `filename*` the name comes in ASCII too. */
export function attachment(filename: string | null, mediaType: string | null): string {
  const name = safeFilename(filename, mediaType)
  const ascii = name.replace(/[^\x20-\x7e]|[%\\"]/gu, '_')
  return `attachment; filename="${ascii}"; filename*=UTF-8''${extended(name)}`
}
