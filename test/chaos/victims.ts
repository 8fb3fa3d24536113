/** Starts victims one after another, and kills them. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CrashPoint } from './crash.ts'
import { type ChangedFunctions, writeFunctions } from './functions.ts'
import type { SweepRequest, VictimMessage } from './victim.ts'

const VICTIM = fileURLToPath(new URL('victim.ts', import.meta.url))

/** A short lease, so that a run of many kills does not wait 15 s after each. */
export const VICTIM_LEASE_MS = 1_000

export interface Victim {
  url: string
  exited: Promise<void>
  isAlive(): boolean
  kill(): void
  /** Kills one of its containers; false when it has none. */
  killContainer(): boolean
  /** SIGSTOP and SIGCONT of the runtime alone; its containers go on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** Moves its clock on, then runs sweep-tasks once; rejects when that fails or the process dies at it. */
  sweep(afterMs?: number): Promise<void>
  stop(): Promise<void>
}

function childrenOf(pid: number): number[] {
  try {
    return execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map(Number)
  } catch {
    return []
  }
}

export interface VictimOptions {
  folder: string
  /** Where the runtime dies. */
  crash?: CrashPoint | readonly CrashPoint[] | null
  /** Functions that are not as they are in the product. */
  functions?: ChangedFunctions
  leaseMs?: number
  /** How far its clock is ahead. */
  clockMs?: number
  /** Nothing of what it says is shown: a native abort tells its whole stack. */
  quiet?: boolean
  env?: Record<string, string>
}

async function environment(options: VictimOptions): Promise<Record<string, string | undefined>> {
  const { folder, crash, functions, leaseMs = VICTIM_LEASE_MS, clockMs = 0, env = {} } = options
  const changed = functions && (await mkdtemp(join(folder, 'functions-')))
  if (changed) await writeFunctions(changed, functions)
  return {
    PATH: process.env.PATH,
    VICTIM_FOLDER: folder,
    VICTIM_POINTS: JSON.stringify(crash ? [crash].flat() : []),
    VICTIM_LEASE_MS: String(leaseMs),
    VICTIM_CLOCK_MS: String(clockMs),
    ...(changed ? { VICTIM_FUNCTIONS: changed } : {}),
    ...env,
  }
}

function sweeps(child: ChildProcess, exited: Promise<void>): Victim['sweep'] {
  let number = 0
  return async (afterMs = 0) => {
    const request: SweepRequest = { sweep: ++number, afterMs }
    const status = await new Promise<number | null>((resolve) => {
      const hear = (message: VictimMessage): void => {
        if (!('swept' in message) || message.swept !== request.sweep) return
        child.off('message', hear)
        resolve(message.status)
      }
      child.on('message', hear)
      void exited.then(() => resolve(null))
      child.send(request, () => undefined)
    })
    if (status !== 204) throw new Error(status === null ? 'it died at the sweep' : `the sweep answered ${status}`)
  }
}

/** Resolves when it listens; null when it died before that (a crash point of the start). */
export async function startVictim(options: VictimOptions): Promise<Victim | null> {
  const child = fork(VICTIM, {
    env: await environment(options),
    stdio: options.quiet ? ['ignore', 'ignore', 'ignore', 'ipc'] : ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const listening = new Promise<string>((resolve) =>
    child.once('message', (message: VictimMessage) => 'url' in message && resolve(message.url)),
  )
  const url = await Promise.race([listening, exited.then(() => null)])
  if (url === null) return null
  return {
    url,
    exited,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    kill: () => void child.kill('SIGKILL'),
    killContainer() {
      const [first] = childrenOf(child.pid!)
      if (first) process.kill(first, 'SIGKILL')
      return first !== undefined
    },
    signal: (name) => void child.kill(name),
    sweep: sweeps(child, exited),
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
