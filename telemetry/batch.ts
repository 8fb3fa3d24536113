/** The next lines of a spool file, as many as one push takes. */
import { type FileHandle, open } from 'node:fs/promises'
import { type Entry, entryOf } from './entry.ts'
import { PUSH_BYTES_MAX } from './limits.ts'
import type { SpoolFile, SpoolFiles } from './spool-files.ts'

export interface Batch {
  entries: Entry[]
  /** Where the next batch begins. */
  end: number
  /** There was more than one push takes. */
  more: boolean
}

const NEWLINE = 10

async function readUpTo(handle: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes)
  const { bytesRead } = await handle.read(buffer, 0, bytes, offset)
  return buffer.subarray(0, bytesRead)
}

/** Whole lines; in a file that grows no more also what stands at its end without a newline: a write that was cut short. */
async function readLines(handle: FileHandle, offset: number, left: number, grows: boolean): Promise<Buffer> {
  for (let bytes = Math.min(left, PUSH_BYTES_MAX); ; bytes = Math.min(left, bytes * 2)) {
    const read = await readUpTo(handle, offset, bytes)
    const end = read.lastIndexOf(NEWLINE) + 1
    if (end > 0) return read.subarray(0, end)
    if (bytes === left) return grows ? read.subarray(0, 0) : read
  }
}

function entriesOf(read: Buffer, offset: number): Entry[] {
  const entries: Entry[] = []
  let ms = Date.now()
  for (let start = 0; start < read.length;) {
    const newline = read.indexOf(NEWLINE, start)
    const end = newline === -1 ? read.length : newline
    if (end > start) {
      const place = { start: offset + start, end: offset + end + 1 }
      const entry = entryOf(read.toString('utf8', start, end), place, ms)
      ms = entry.ms
      entries.push(entry)
    }
    start = end + 1
  }
  return entries
}

/** `grows`: somebody still writes to it. */
export async function readBatch(files: SpoolFiles, file: SpoolFile, grows: boolean): Promise<Batch> {
  const offset = files.offsetOf(file)
  const left = file.bytes - offset
  if (left <= 0) return { entries: [], end: offset, more: false }
  const handle = await open(files.path(file), 'r')
  try {
    const read = await readLines(handle, offset, left, grows)
    return { entries: entriesOf(read, offset), end: offset + read.length, more: left > PUSH_BYTES_MAX }
  } finally {
    await handle.close()
  }
}
