/**
 * What accepting costs without a server: for each task a file that is written, synced and renamed, its folder synced,
 * and then a row in SQLite with synchronous=FULL.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { answerMessages } from './answer.ts'

export interface Storing {
  /** The picture. */
  file: string
  /** As large as a task's document. */
  document: string
  tasks: number
  concurrency: number
  /** A folder for each task, as the blob store's layout has it, and its name synced too. */
  folders: boolean
}

const db = new DatabaseSync(process.env['SQLITE_FILE']!)
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
db.exec('CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY NOT NULL, document TEXT NOT NULL) STRICT')
const insert = db.prepare('INSERT INTO tasks (id, document) VALUES (?, ?)')
const root = process.env['STORAGE_INPUT_PATH']!
mkdirSync(root, { recursive: true })

async function syncFolder(path: string): Promise<void> {
  await using handle = await open(path, 'r')
  await handle.sync()
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  await using handle = await open(path, 'wx')
  await handle.writeFile(bytes)
  await handle.sync()
}

async function store(bytes: Uint8Array, { document, folders }: Storing): Promise<void> {
  const id = randomUUID()
  const folder = folders ? join(root, id) : root
  if (folders) {
    await mkdir(folder)
    await syncFolder(root)
  }
  await writeSynced(join(folder, `${id}.tmp`), bytes)
  await rename(join(folder, `${id}.tmp`), join(folder, `${id}.jpg`))
  await syncFolder(folder)
  insert.run(id, document)
}

answerMessages(async (storing: Storing): Promise<{ wallMs: number }> => {
  const bytes = await readFile(storing.file)
  let left = storing.tasks
  const run = async (): Promise<void> => {
    while (left-- > 0) await store(bytes, storing)
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: storing.concurrency }, run))
  return { wallMs: performance.now() - startedAt }
})
