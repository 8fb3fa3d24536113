/**
 * Where the lines of one process lie: `<root>/<service>.<n>`, n being the lowest number that no living process has. A
 * process that is started again takes the number of the one that died, and goes on with what that left. So the numbers,
 * and Loki's streams, are as many as processes run at once; and in each stream time goes forward, from one millisecond
 * to the next.
 */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { SPOOL_FOLDERS_MAX } from './limits.ts'
import { tryLock } from './lock.ts'
import { isSpoolFile } from './spool-files.ts'

export interface SpoolFolder {
  path: string
  service: string
  /** Its number, as text: the label `replica`. */
  replica: string
  release(): void
}

const NAME = /^(.+)\.(\d+)$/

function lockFolder(root: string, name: string): SpoolFolder | null {
  const [, service, replica] = NAME.exec(name) ?? []
  if (service === undefined || replica === undefined) return null
  const path = join(root, name)
  const release = tryLock(join(path, 'lock'))
  return release && { path, service, replica, release }
}

/** Makes what is missing; throws what the file system says. */
export function claimFolder(root: string, service: string): SpoolFolder {
  for (let replica = 0; replica < SPOOL_FOLDERS_MAX; replica++) {
    const name = `${service}.${replica}`
    mkdirSync(join(root, name), { recursive: true })
    const folder = lockFolder(root, name)
    if (folder) return folder
  }
  throw new Error(`${root}: all ${SPOOL_FOLDERS_MAX} folders of ${service} are taken`)
}

type OnFault = (path: string, error: unknown) => void

/** Null where the file system does not let us, which is told. */
function ifReadable<T>(path: string, onFault: OnFault, read: () => T | null): T | null {
  try {
    return read()
  } catch (error) {
    onFault(path, error)
    return null
  }
}

/**
 * Folders with lines whose process is dead, each locked when it is asked for: it is the caller's until released. One that
 * cannot be read is told, and left out; what is none of ours by its name is not looked into.
 */
export function* abandonedFolders(root: string, onFault: OnFault): Generator<SpoolFolder> {
  for (const entry of ifReadable(root, onFault, () => readdirSync(root, { withFileTypes: true })) ?? []) {
    if (!entry.isDirectory() || !NAME.test(entry.name)) continue
    const path = join(root, entry.name)
    const hasLines = (): boolean => readdirSync(path).some(isSpoolFile)
    const folder = ifReadable(path, onFault, () => (hasLines() ? lockFolder(root, entry.name) : null))
    if (folder) yield folder
  }
}
