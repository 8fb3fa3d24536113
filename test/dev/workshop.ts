/** A project of small functions in a temp folder, served as `npm run dev` serves this one, and edited by the test. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RuntimeBindings } from '../../runtime/bindings.ts'
import { openLocal } from '../../stacks/local.ts'
import { readConfig } from '../../runtime/config.ts'
import { startRuntime } from '../../runtime/main.ts'
import { PROJECT, storageIn } from '../project/command.ts'
import { type Recorded, recordedLog } from '../runtime/log.ts'
import { until } from '../runtime/until.ts'

/** For whatever a process does: the machine may have much else to do. */
export const LONG_MS = 60_000

export interface Workshop extends Recorded, AsyncDisposable {
  folder: string
  url: string
  bindings: RuntimeBindings
  /** Writes a function's file in one go, as editors do that rename a finished file over the old one. */
  write: (file: string, text: string) => Promise<void>
  /** Writes it, and resolves once the function was loaded anew, or was found to be broken. */
  edit: (file: string, text: string, outcome?: 'reloaded' | 'function is broken') => Promise<void>
  readiness: () => Promise<{ status: string; broken: { name: string; error: string }[] }>
}

export type Files = Record<string, string>

async function layOut(files: Files): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'revela-dev-'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module", "imports": { "#shared/*": "./shared/*" } }')
  for (const name of ['shared', 'node_modules']) await symlink(join(PROJECT, name), join(folder, name))
  for (const [file, text] of Object.entries(files)) {
    const path = join(folder, 'functions', file)
    await mkdir(join(path, '..'), { recursive: true })
    await writeFile(path, text)
  }
  return folder
}

export async function workshop(files: Files, env: Record<string, string> = {}): Promise<Workshop> {
  const folder = await layOut(files)
  const functionsFolder = join(folder, 'functions')
  const log = recordedLog()
  let bindings: RuntimeBindings | undefined
  const open: typeof openLocal = async (...options) => (bindings = await openLocal(...options))
  const config = readConfig({ ...storageIn(join(folder, 'storage')), ...env })
  const runtime = await startRuntime(config, { dev: true, functionsFolder, logger: log.logger, open })
  await runtime.loaded
  const write: Workshop['write'] = async (file, text) => {
    const finished = join(folder, 'finished')
    await writeFile(finished, text)
    await rename(finished, join(functionsFolder, file))
  }
  return {
    ...log,
    folder,
    url: runtime.url,
    bindings: bindings!,
    write,
    async edit(file, text, outcome = 'reloaded') {
      const name = file.split('/')[0]
      const before = log.lines.length
      await write(file, text)
      await until(
        `${name} ${outcome}`,
        () => log.lines.slice(before).some((line) => line['msg'] === outcome && line['function'] === name),
        LONG_MS,
      )
    },
    readiness: async () => (await (await fetch(`${runtime.url}/readyz`)).json()) as never,
    [Symbol.asyncDispose]: async () => {
      await runtime.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Processes whose parent is this one. */
export async function children(): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const parents = pids.map(async (pid) => {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    return Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1])
  })
  return (await Promise.all(parents)).filter((parent) => parent === process.pid).length
}
