const FILENAME_CHARS_MAX = 255

/** A file's name as it was sent, without what must not reach a terminal or a header; for display alone. */
export function displayName(filename: string | undefined): string | null {
  // oxlint-disable-next-line no-control-regex -- these are what is taken out
  const name = (filename ?? '').replace(/[\0-\x1f\x7f-\x9f]/g, '').slice(0, FILENAME_CHARS_MAX)
  return name === '' ? null : name
}
