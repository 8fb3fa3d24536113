/**
 * Messages as frames on a stream of bytes: the length of what follows (4 bytes, big-endian), then JSON in UTF-8. JSON,
 * and not V8's own format, since that has arrays of which a few bytes say how much memory they take: reading one that a
 * hostile hand wrote ends the process.
 */
const LENGTH_BYTES = 4

/** Throws where the value has no JSON, or more than `bytesMax` of it. */
export function encodeFrame(value: unknown, bytesMax = Infinity): Buffer {
  const text = JSON.stringify(value)
  const bytes = Buffer.byteLength(text)
  if (bytes > bytesMax) throw new RangeError(`Expected a message of at most ${bytesMax} bytes, got ${bytes}.`)
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + bytes)
  frame.writeUInt32BE(bytes)
  frame.write(text, LENGTH_BYTES)
  return frame
}

/**
 * Takes the chunks of a stream, however they are cut, and gives each message with the bytes of its JSON. Throws on what
 * is no frame, and as soon as its length is there on one of more than `bytesMax`: so much it holds at most, and one chunk.
 */
export function frameReader(
  onMessage: (message: unknown, bytes: number) => void,
  bytesMax = Infinity,
): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let held = 0
  let wanted = LENGTH_BYTES
  const measure = (bytes: Buffer, from: number): void => {
    const length = bytes.readUInt32BE(from)
    if (length > bytesMax) throw new RangeError(`Expected a message of at most ${bytesMax} bytes, got ${length}.`)
    wanted = LENGTH_BYTES + length
  }
  return (chunk) => {
    held += chunk.length
    parts.push(chunk)
    // Joined when it is worth it: a long message comes in many chunks, and each would copy all before it.
    if (held < wanted) return
    const bytes = parts.length === 1 ? chunk : Buffer.concat(parts, held)
    let from = 0
    while (held - from >= LENGTH_BYTES) {
      measure(bytes, from)
      if (held - from < wanted) break
      onMessage(JSON.parse(bytes.toString('utf8', from + LENGTH_BYTES, from + wanted)), wanted - LENGTH_BYTES)
      from += wanted
      wanted = LENGTH_BYTES
    }
    held -= from
    parts = held > 0 ? [bytes.subarray(from)] : []
  }
}
