import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite, type SqliteFile } from '../../runtime/drivers/sqlite/file.ts'

export interface TestFile {
  path: string
  /** Opens it once more, as another process would; waits for the lock of others as long as the product, or as given. */
  open(lockWaitMs?: number): SqliteFile
  /** Closes all that was opened and removes the folder. */
  remove(): void
}

export function testFile(): TestFile {
  const folder = mkdtempSync(join(tmpdir(), 'revela-sqlite-'))
  const path = join(folder, 'tasks.sqlite')
  const opened: SqliteFile[] = []
  return {
    path,
    open: (lockWaitMs) => {
      const file = openSqlite(path, lockWaitMs)
      opened.push(file)
      return file
    },
    remove: () => {
      opened.forEach((file) => file.close())
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
