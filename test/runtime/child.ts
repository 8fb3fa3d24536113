/** A Node process that a test starts, talks to and outlives. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

export interface TestProcess extends AsyncDisposable {
  child: ChildProcess
  pid: number
  /** Lines of stdout and stderr so far. */
  lines: string[]
  /** The first line, past or to come, from `from` on, that the condition takes. */
  line(what: string, condition: (line: string) => boolean, from?: number): Promise<string>
  /** Resolves with the exit code, or the signal's name. */
  exit: Promise<number | NodeJS.Signals | null>
}

/** In a group of its own, as a terminal gives each command. */
export function startProcess(script: URL, args: string[] = [], env: Record<string, string> = {}): TestProcess {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', fileURLToPath(script), ...args], {
    env: { PATH: process.env.PATH, ...env },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', (line) => lines.push(line))
  const exit = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal)),
  )
  return {
    child,
    pid: child.pid!,
    lines,
    exit,
    line: async (what, condition, from = 0) => {
      const found = await until(
        `line: ${what}`,
        () => {
          const line = lines.slice(from).find(condition)
          if (line === undefined && child.exitCode !== null)
            throw new Error(`ended without "${what}":\n${lines.join('\n')}`)
          return line === undefined ? null : { line }
        },
        20_000,
      )
      return found.line
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await exit
    },
  }
}

/** False also for a process that ended and that its new parent has not looked after yet. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !existsSync('/proc/self/stat') || !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
