/** `npm start` as a process of its own, over a folder that outlives it: what it answers, logs and leaves behind. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Task } from '#shared/task.ts'
import { storageIn } from '../project/command.ts'
import { startProcess } from '../runtime/child.ts'
import { until } from '../runtime/until.ts'
import { type Client, clientOf } from '../scenarios/client.ts'

const START = new URL('../../cli/start.mjs', import.meta.url)

/** For whatever a process does: the machine may have much else to do. */
export const LONG_MS = 90_000

const ERROR_LEVEL = 50

interface LogLine extends Record<string, unknown> {
  level: number
  msg: string
}

export interface Serving extends AsyncDisposable {
  pid: number
  url: string
  api: Client
  /** Of the pino lines so far, those of an error. */
  errors: () => LogLine[]
  log: () => LogLine[]
  /** Resolves once the process says that it drains. */
  drain(signal?: NodeJS.Signals): Promise<void>
  /** As Ctrl-C does: to every process of the group in the foreground. */
  interrupt(): Promise<void>
  kill(signal: NodeJS.Signals): void
  /** The exit status, once no process is left that has its output, the containers included. */
  ended: Promise<number | NodeJS.Signals>
}

function logLines(lines: readonly string[]): LogLine[] {
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine)
}

export async function serve(folder: string, env: Record<string, string> = {}): Promise<Serving> {
  const started = startProcess(START, ['start'], { ...storageIn(folder), ...env })
  const { child, pid, lines } = started
  // Containers inherit its output: it closes when the last of them is gone.
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  const told = async (pattern: RegExp): Promise<RegExpExecArray> =>
    await until(
      `${pattern} in what it tells`,
      () => {
        if (child.exitCode !== null) throw new Error(`ended without ${pattern}\n${lines.join('\n')}`)
        return lines.map((line) => pattern.exec(line)).find((found) => found !== null)
      },
      LONG_MS,
    )
  const [, url] = await told(/^API\s+(http:\S+)\/tasks$/)
  const drained = async (): Promise<void> => void (await told(/^SIG\w+: finishing what runs/))
  return {
    pid,
    url: url!,
    api: clientOf(url!),
    log: () => logLines(lines),
    errors: () => logLines(lines).filter(({ level }) => level >= ERROR_LEVEL),
    async drain(signal = 'SIGTERM') {
      child.kill(signal)
      await drained()
    },
    async interrupt() {
      process.kill(-pid, 'SIGINT')
      await drained()
    },
    kill: (signal) => void child.kill(signal),
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** The exit status 0 of a process that leaves no error in its log. */
export async function expectCleanEnd({ ended, errors }: Serving): Promise<void> {
  const status = await ended
  if (status !== 0 || errors().length > 0) {
    throw new Error(`expected exit status 0 and no error line, got ${status}\n${JSON.stringify(errors(), null, 1)}`)
  }
}

interface Left {
  tasks: Task[]
  /** `lease`: of the delivery that holds it; `late`: nobody may take it yet. */
  messages: { id: string; failures: number; lease: string | null; late: boolean }[]
}

/** What a process that ended has left in its file. */
export function leftIn(folder: string): Left {
  const file = new DatabaseSync(storageIn(folder)['SQLITE_FILE'] ?? '', { readOnly: true })
  try {
    const tasks = file.prepare('SELECT document FROM tasks ORDER BY id').all()
    const messages = file.prepare('SELECT id, failures, lease, ready_at > ? AS late FROM queue_messages ORDER BY seq')
    return {
      tasks: tasks.map(({ document }) => JSON.parse(String(document)) as Task),
      messages: messages.all(Date.now()).map(({ id, failures, lease, late }) => ({
        id: String(id),
        failures: Number(failures),
        lease: lease === null ? null : String(lease),
        late: late === 1,
      })),
    }
  } finally {
    file.close()
  }
}

export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'revela-drain-'))
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true, force: true }) }
}
