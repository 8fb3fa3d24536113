/** The contestants' processes: started, asked, and ended with the block that opened them. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** From SIGTERM to SIGKILL. */
const STOP_MS = 10_000

const START = fileURLToPath(new URL('../../cli/start.mjs', import.meta.url))

export interface Running extends AsyncDisposable {
  pid: number
}

export interface Place {
  folder: string
  env: Record<string, string>
}

/** A folder of a contestant's own, and the environment that leads the runtime to it. */
export function placeIn(parent: string, name: string, env: Record<string, string> = {}): Place {
  const folder = join(parent, name)
  mkdirSync(folder, { recursive: true })
  return {
    folder,
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_ENV: 'production',
      SERVER_PORT: '0',
      SQLITE_FILE: join(folder, 'tasks.sqlite'),
      STORAGE_INPUT_PATH: join(folder, 'input'),
      STORAGE_OUTPUT_PATH: join(folder, 'output'),
      // The compile cache lies in it.
      TMPDIR: folder,
      ...env,
    },
  }
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  child.kill('SIGTERM')
  await exited
  clearTimeout(timer)
}

/** `stdout` is where its log goes: a file, as in the contestants. */
export function spawnRuntime({ folder, env }: Place, command: readonly string[] = [START, 'start']): ChildProcess {
  const log = openSync(join(folder, 'log.jsonl'), 'a')
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', log, 'pipe'] })
  closeSync(log)
  return child
}

export interface RuntimeProcess extends Running {
  url: string
  port: number
}

/** Resolves when every function is loaded and warm. `command`: what Node runs, `npm start` by default. */
export async function startRuntimeProcess(place: Place, command?: readonly string[]): Promise<RuntimeProcess> {
  const child = spawnRuntime(place, command)
  let said = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const [, found] = /^API +(\S+)\/tasks$/m.exec(said) ?? []
      if (found) resolve(found)
    })
    child.once('exit', () => reject(new Error(`the runtime did not start: ${said}`)))
  })
  if (said.includes('BROKEN')) {
    await stop(child)
    throw new Error(said)
  }
  return { pid: child.pid!, url, port: Number(new URL(url).port), [Symbol.asyncDispose]: () => stop(child) }
}

export interface Contestant<Task, Answer> extends Running {
  ask(task: Task): Promise<Answer>
}

/** A script of contestants/ that answers one message at a time. */
export function startContestant<Task extends object, Answer>(
  script: URL,
  { folder, env }: Place,
  args: readonly string[] = [],
): Contestant<Task, Answer> {
  const log = openSync(join(folder, 'log.jsonl'), 'a')
  const child = fork(fileURLToPath(script), args, { env, execArgv: [], stdio: ['ignore', log, 'inherit', 'ipc'] })
  closeSync(log)
  return {
    pid: child.pid!,
    async ask(task) {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>()
      const gone = (): void => reject(new Error(`${script.pathname} ended`))
      child.once('message', (answer: { value: Answer } | { error: string }) => {
        if ('error' in answer) reject(new Error(answer.error))
        else resolve(answer.value)
      })
      child.once('exit', gone)
      child.send(task)
      return await promise.finally(() => child.off('exit', gone))
    },
    [Symbol.asyncDispose]: () => stop(child),
  }
}
