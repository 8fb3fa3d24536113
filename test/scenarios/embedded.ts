/** The node target over the embedded stack: `npm start` as a process of its own, in a temp folder. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { filesBelow, replaceByFile, replaceByNothing, startProcess } from './process.ts'
import type { Running, Target } from './target.ts'

/** Another process's write transaction: every write of the runtime finds the file busy. */
function lockForWriting(file: string): () => Promise<void> {
  const db = new DatabaseSync(file)
  db.exec('BEGIN IMMEDIATE')
  return async () => {
    db.exec('ROLLBACK')
    db.close()
  }
}

async function start(env: Record<string, string>): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'revela-scenarios-'))
  const images = join(folder, 'storage/images')
  const { url, stop } = await startProcess(folder, env)
  return {
    url,
    files: async () => await filesBelow(images),
    lose: async (file) => await rm(join(images, file)),
    outage: {
      blobs: async () => await replaceByFile(join(images, 'input')),
      volume: async () => await replaceByNothing(images, ['input', 'output']),
      tasks: async () => lockForWriting(join(folder, 'storage/tasks.sqlite')),
    },
    stop: async () => {
      try {
        await stop()
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    },
  }
}

export const embedded: Target = { name: 'node, embedded', start }
