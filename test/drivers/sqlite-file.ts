import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite, type SqliteFile } from '../../runtime/drivers/sqlite/file.ts'

export interface TestFile {
  path: string
  /** Opens it once more, as another process would. */
  open(): SqliteFile
  /** Closes all that was opened and removes the folder. */
  remove(): void
}

export function testFile(): TestFile {
  const folder = mkdtempSync(join(tmpdir(), 'revela-sqlite-'))
  const path = join(folder, 'tasks.sqlite')
  const opened: SqliteFile[] = []
  return {
    path,
    open: () => {
      const file = openSqlite(path)
      opened.push(file)
      return file
    },
    remove: () => {
      opened.forEach((file) => file.close())
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
