/** The node target over the embedded stack: `npm start` as a process of its own, in a temp folder. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import type { Running, Target } from './target.ts'

const ENTRY = fileURLToPath(new URL('../../runtime/cli/start.mjs', import.meta.url))
/** The line at the end of the start-up that says where the API is. */
const API_LINE = /^API\s+(http:\S+)\/tasks$/

/** A process, not `startRuntime` in this one: so signals, exit status, memory and type stripping are the real ones. */
async function startProcess(folder: string, env: Record<string, string>) {
  const child = spawn(process.execPath, [ENTRY, 'start'], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', LOG_LEVEL: 'error', SERVER_PORT: '0', ...env },
    stdio: ['ignore', 'inherit', 'pipe'],
  })
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const lines: string[] = []
  const { promise: url, resolve, reject } = Promise.withResolvers<string>()
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    const found = API_LINE.exec(line)?.[1]
    if (found) resolve(found)
  })
  void exited.then(([code, signal]) => reject(new Error(`ended with ${code ?? signal}\n${lines.join('\n')}`)))
  return {
    // Bound to all addresses it calls itself localhost, which may be another address than the one it listens on.
    url: (await url).replace('localhost', '127.0.0.1'),
    stop: async () => {
      child.kill('SIGTERM')
      const [code, signal] = await exited
      if (code !== 0) throw new Error(`expected exit status 0 after SIGTERM, got ${code ?? signal}`)
    },
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

/** A file where the folder was: whatever is written or read below it fails, for root too. */
async function replaceByFile(folder: string): Promise<() => Promise<void>> {
  await rename(folder, `${folder}.away`)
  await writeFile(folder, '')
  return async () => {
    await rm(folder)
    await rename(`${folder}.away`, folder)
  }
}

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
    files: async () => await filesBelow(images).catch(() => []),
    lose: async (file) => await rm(join(images, file)),
    outage: {
      blobs: async () => await replaceByFile(join(images, 'input')),
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
