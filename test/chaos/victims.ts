/** Starts victims one after another, and kills them. */
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { CrashPoint } from './crash.ts'

const VICTIM = fileURLToPath(new URL('victim.ts', import.meta.url))

export interface Victim {
  url: string
  exited: Promise<void>
  isAlive(): boolean
  kill(): void
  /** Kills one of its containers; false when it has none. */
  killContainer(): boolean
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
  crash?: CrashPoint | null
  env?: Record<string, string>
}

/** Resolves when it listens; null when it died before that (a crash point of the start). */
export async function startVictim({ folder, crash, env = {} }: VictimOptions): Promise<Victim | null> {
  const child: ChildProcess = fork(VICTIM, {
    env: {
      PATH: process.env.PATH,
      VICTIM_FOLDER: folder,
      ...(crash ? { VICTIM_CRASH: JSON.stringify(crash) } : {}),
      ...env,
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const listening = new Promise<string>((resolve) =>
    child.once('message', (message) => resolve((message as { url: string }).url)),
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
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
