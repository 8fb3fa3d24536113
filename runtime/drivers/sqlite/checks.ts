/** What SQLite must not be run on. Each check says in words why it refuses and what to do; null means it may be used. */

/** The last version with the WAL-reset race: a checkpoint beside a writer could lose committed pages. */
const LAST_RACY_VERSION = [3, 51, 2] as const

/** `version` as of sqlite_version(). */
export function versionRefusal(version: string): string | null {
  const parts = version.split('.').map(Number)
  const difference = LAST_RACY_VERSION.map((limit, i) => (parts[i] ?? 0) - limit).find((each) => each !== 0) ?? 0
  if (difference > 0) return null
  return (
    `This Node carries SQLite ${version}, which can lose committed data in WAL mode; ` +
    'expected 3.51.3 or newer. Use Node 24.15 or newer, or 22.22.3 or newer of Node 22.'
  )
}

/**
 * f_type of statfs(2) on Linux. WAL shares memory between processes through the file system, and these do not do it
 * safely (https://sqlite.org/wal.html, "all processes must be on the same host computer"). FUSE covers virtiofs too.
 */
const UNSAFE_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'nfs'],
  [0x517b, 'smb'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x01021997, '9p'],
  [0x65735546, 'fuse or virtiofs'],
  [0x5346414f, 'afs'],
  [0x00c36400, 'ceph'],
  [0x0bd00bd0, 'lustre'],
  [0x786f4256, 'vboxsf'],
  [0xbacbacbc, 'vmhgfs'],
  [0x7c7c6673, 'prl_fs'],
])

/** `type` as of fs.statfs; only Linux gives these numbers. */
export function fileSystemRefusal(type: number, folder: string, platform: NodeJS.Platform): string | null {
  // Unsigned: cifs has its highest bit set, and a 32-bit field hands it over as a negative number.
  const name = platform === 'linux' ? UNSAFE_FILE_SYSTEMS.get(type >>> 0) : undefined
  if (name === undefined) return null
  return (
    `${folder} is on a ${name} file system, where SQLite's WAL can corrupt the file. ` +
    'Set SQLITE_FILE to a path on a local disk (in a container: a volume, not a bind mount).'
  )
}
