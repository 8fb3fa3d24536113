/** Attributes of a CloudEvent as HTTP headers, and back (CloudEvents 1.0, HTTP protocol binding 3.1.3). */

/** An attribute as a header: what is not printable ASCII, and space, `"` and `%`, percent-encoded (HTTP binding 3.1.3.2). */
function headerOf(text: string): string {
  return text.replaceAll(/[^!#$&-~]/gu, (char) => encodeURIComponent(char.isWellFormed() ? char : '\ufffd'))
}

/** The attribute that a header stands for: unquoted, then percent-decoded. */
export function attributeOf(header: string): string {
  const text = /^".*"$/s.test(header) ? header.slice(1, -1).replaceAll(/\\(.)/gs, '$1') : header
  try {
    return decodeURIComponent(text)
  } catch {
    // Not encoded by anyone who knows the rule: then it is meant as it stands.
    return text
  }
}

/** Attributes by name as headers of an event in binary mode. A name is taken as it is. */
export function attributeHeaders(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, headerOf(value)]))
}
