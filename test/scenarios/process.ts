/** `npm start` as a process of its own, and what it stored. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ENTRY = fileURLToPath(new URL('../../cli/start.mjs', import.meta.url))
/** The line at the end of the start-up that says where the API is. */
const API_LINE = /^API\s+(http:\S+)\/tasks$/

export interface StartedProcess {
  url: string
  /** SIGTERM; rejects when it does not end with exit status 0. */
  stop(this: void): Promise<void>
}

/** A process, not `startRuntime` in this one: so signals, exit status, memory and type stripping are the real ones. */
export async function startProcess(folder: string, env: Record<string, string>): Promise<StartedProcess> {
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

/** Paths below the folder, sorted. One that goes while it is walked is empty: a task may be deleted beside the test. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const below = entries.map(async (entry) => {
    if (!entry.isDirectory()) return [entry.name]
    return (await filesBelow(join(folder, entry.name))).map((file) => join(entry.name, file))
  })
  return (await Promise.all(below)).flat().sort()
}

/** A file where the folder was: whatever is written or read below it fails, for root too. */
export async function replaceByFile(folder: string): Promise<() => Promise<void>> {
  await rename(folder, `${folder}.away`)
  await writeFile(folder, '')
  return async () => {
    await rm(folder)
    await rename(`${folder}.away`, folder)
  }
}

/** An empty folder where the folder was. */
export async function replaceByNothing(folder: string, below: readonly string[]): Promise<() => Promise<void>> {
  await rename(folder, `${folder}.away`)
  for (const name of below) await mkdir(join(folder, name), { recursive: true })
  return async () => {
    await rm(folder, { recursive: true })
    await rename(`${folder}.away`, folder)
  }
}
