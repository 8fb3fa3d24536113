/** The files of one spool folder, oldest first, and the place up to which Loki has them. */
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface SpoolFile {
  name: string
  bytes: number
}

/** Everything before it was taken by Loki. */
interface Place {
  file: string
  offset: number
}

export type SpoolFiles = ReturnType<typeof spoolFiles>

const FILE = /^\d{12}\.ndjson$/

export function isSpoolFile(name: string): boolean {
  return FILE.test(name)
}

function nameOf(number: number): string {
  return `${String(number).padStart(12, '0')}.ndjson`
}

/** A place that cannot be read is the beginning: lines come twice rather than never. */
function readPlace(path: string): Place {
  try {
    const { file, offset } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Place>
    if (typeof file === 'string' && Number.isSafeInteger(offset)) return { file, offset: offset! }
  } catch {}
  return { file: '', offset: 0 }
}

export function spoolFiles(folder: string) {
  const placeFile = join(folder, 'place.json')
  const names = readdirSync(folder).filter(isSpoolFile).sort()
  const files: SpoolFile[] = names.map((name) => ({ name, bytes: statSync(join(folder, name)).size }))
  let place = readPlace(placeFile)
  let last = Number.parseInt(names.at(-1) ?? place.file, 10) || 0
  let total = files.reduce((sum, { bytes }) => sum + bytes, 0)

  const offsetOf = ({ name, bytes }: SpoolFile): number =>
    place.file === name && place.offset <= bytes ? place.offset : 0
  return {
    path: ({ name }: SpoolFile): string => join(folder, name),
    oldest: (): SpoolFile | undefined => files[0],
    count: (): number => files.length,
    total: (): number => total,
    offsetOf,
    unsent: (): number => total - (files[0] ? offsetOf(files[0]) : 0),
    /** A new one, after all others; the numbers go on over restarts, so that no place ever means another file. */
    add(): SpoolFile {
      const file = { name: nameOf(++last), bytes: 0 }
      files.push(file)
      return file
    },
    grow(file: SpoolFile, bytes: number): void {
      file.bytes += bytes
      total += bytes
    },
    /** Renamed into its place: a killed process leaves the old or the new one. */
    sent(file: SpoolFile, offset: number): void {
      place = { file: file.name, offset }
      try {
        writeFileSync(`${placeFile}.new`, JSON.stringify(place))
        renameSync(`${placeFile}.new`, placeFile)
      } catch {
        // A full disk must not hold up what makes it emptier: this process knows its place, the next sends lines again.
      }
    },
    remove(file: SpoolFile): void {
      const index = files.indexOf(file)
      if (index === -1) return
      rmSync(join(folder, file.name), { force: true })
      files.splice(index, 1)
      total -= file.bytes
    },
  }
}
