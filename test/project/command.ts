/** A command of the project as a process of its own: what it tells, how it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

export interface CommandOptions {
  cwd: string
  /** All of its environment, beside PATH, HOME and TMPDIR. */
  env?: Record<string, string>
  /** Where the project lies; default: this one. */
  project?: string
  /** Options of Node itself. */
  node?: string[]
}

export interface Command extends AsyncDisposable {
  /** What it has told so far. */
  stdout(): string
  stderr(): string
  /** The first match in what it told or will tell; rejects when it ends without one. */
  tells(pattern: RegExp): Promise<RegExpExecArray>
  /** Its exit status, or the signal that ended it, when all that it told is here. */
  ended: Promise<number | NodeJS.Signals>
  signal(name: NodeJS.Signals): void
}

function watch(child: ChildProcess): Command {
  const told = { stdout: '', stderr: '' }
  const waiting = new Set<() => void>()
  let over = false
  const ended = once(child, 'close').then(([code, signal]) => {
    over = true
    for (const look of waiting) look()
    return (code ?? signal) as number | NodeJS.Signals
  })
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]!.setEncoding('utf8').on('data', (text: string) => {
      told[name] += text
      for (const look of waiting) look()
    })
  }
  const tells = async (pattern: RegExp): Promise<RegExpExecArray> => {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
    const look = (): void => {
      const found = pattern.exec(told.stderr) ?? pattern.exec(told.stdout)
      if (found) resolve(found)
      else if (over) reject(new Error(`ended without ${pattern}\n${told.stderr}\n${told.stdout}`))
    }
    waiting.add(look)
    look()
    return await promise.finally(() => waiting.delete(look))
  }
  return {
    stdout: () => told.stdout,
    stderr: () => told.stderr,
    tells,
    ended,
    signal: (name) => void child.kill(name),
    [Symbol.asyncDispose]: async () => {
      if (!over) child.kill('SIGKILL')
      await ended
    },
  }
}

/** Any program; its environment is what is given and nothing else. */
export function program(file: string, args: readonly string[], { cwd, env = {} }: CommandOptions): Command {
  const { PATH = '', HOME = '' } = process.env
  const own = { PATH, HOME, TMPDIR: tmpdir() }
  return watch(spawn(file, args, { cwd, env: { ...own, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }))
}

/** `npm start`, `npm run demo` and the like, as npm runs them. */
export function command(args: readonly string[], options: CommandOptions): Command {
  const { project = PROJECT, node = [] } = options
  return program(process.execPath, [...node, join(project, 'cli/start.mjs'), ...args], options)
}

/** Storage of its own below `folder`, on any free port. */
export function storageIn(folder: string) {
  return {
    SERVER_PORT: '0',
    STORAGE_INPUT_PATH: join(folder, 'images/input'),
    STORAGE_OUTPUT_PATH: join(folder, 'images/output'),
    SQLITE_FILE: join(folder, 'tasks.sqlite'),
  }
}
