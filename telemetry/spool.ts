/**
 * Keeps each log line in a file before anything else happens to it. The write goes to the kernel at once, so the line
 * outlives the process; it is not synced, so it may not outlive the machine. 1.5 µs each, measured.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { SPOOL_FILE_BYTES } from './limits.ts'
import type { SpoolFile, SpoolFiles } from './spool-files.ts'

export interface SpoolOptions {
  files: SpoolFiles
  /** LOG_SPOOL_BYTES_MAX. */
  bytesMax: number
  /**
   * Told of lines that Loki will not get. `bound`: the oldest had to go for newer ones; what a push had under way just
   * then is among them, though Loki may take it. `disk`: it took no more.
   */
  onLost: (reason: 'bound' | 'disk', bytes: number) => void
}

export interface Spool {
  /** A line with its newline; never throws. */
  keep(line: string): void
  /** The file that still grows. */
  current(): SpoolFile | undefined
  close(): void
}

export function openSpool({ files, bytesMax, onLost }: SpoolOptions): Spool {
  const fileBytes = Math.min(SPOOL_FILE_BYTES, bytesMax / 4)
  let open: { file: SpoolFile; fd: number } | undefined
  // After a write that was cut short the next line begins on a line of its own.
  let torn = false
  const end = (): void => {
    if (open) closeSync(open.fd)
    open = undefined
  }
  const next = (): { file: SpoolFile; fd: number } => {
    end()
    const file = files.add()
    try {
      return (open = { file, fd: openSync(files.path(file), 'a') })
    } catch (error) {
      files.remove(file)
      throw error
    }
  }
  const makeRoom = (bytes: number): void => {
    for (let file = files.oldest(); file && files.total() + bytes > bytesMax; file = files.oldest()) {
      if (file === open?.file) return
      onLost('bound', file.bytes - files.offsetOf(file))
      files.remove(file)
    }
  }
  const write = (bytes: Buffer): void => {
    makeRoom(bytes.length)
    const isFull = !open || (open.file.bytes > 0 && open.file.bytes + bytes.length > fileBytes)
    const { file, fd } = isFull ? next() : open!
    for (let done = 0; done < bytes.length;) {
      const written = writeSync(fd, bytes, done)
      files.grow(file, written)
      done += written
      torn = done < bytes.length
    }
  }
  return {
    keep(line) {
      const bytes = Buffer.from(torn ? `\n${line}` : line)
      try {
        write(bytes)
      } catch {
        onLost('disk', bytes.length)
      }
    },
    current: () => open?.file,
    close: end,
  }
}
