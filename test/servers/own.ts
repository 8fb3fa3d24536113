/** A server of a test's own, from a program of this machine: it may be killed, frozen and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_MS = 60_000
const ANSWER_MS = 1_000
/** Between two looks whether it answers. */
const LOOK_MS = 20

export interface OwnServer extends AsyncDisposable {
  uri: string
  port: number
  /** SIGKILL. Resolves once it is gone; its data stays. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open, and nothing answers. */
  freeze(): void
  /** SIGCONT, after `freeze`. */
  thaw(): void
  /** After `kill`: on the same port, with the same data. Resolves once it answers. */
  start(): Promise<void>
}

export interface Program {
  /** File and arguments, for a port and a folder for data. */
  command(this: void, port: number, data: string): string[]
  uri(this: void, port: number): string
  /** True once it serves. */
  answers(this: void, port: number): Promise<boolean>
  env?: Record<string, string>
}

/** The path of a program of PATH, or of one named by its path; null where it is not there. */
export function programOf(name: string): string | null {
  const paths = name.includes('/') ? [name] : (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, name))
  const found = paths.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  return found ?? null
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/**
 * The first bytes of the answer to `text`; '' at once where no text is sent and something listens; null where nothing
 * listens or answers.
 */
export async function ask(port: number, text = ''): Promise<string | null> {
  const socket = connect(port, '127.0.0.1')
  const options = { signal: AbortSignal.timeout(ANSWER_MS) }
  try {
    await once(socket, 'connect', options)
    if (text === '') return ''
    socket.write(text)
    const [answer] = (await once(socket, 'data', options)) as [Buffer]
    return answer.toString()
  } catch {
    return null
  } finally {
    socket.destroy()
  }
}

/** Its process ends with this one, also when this one is killed, where the system can do that (util-linux). */
function tied(command: string[]): string[] {
  const setpriv = '/usr/bin/setpriv'
  const isThere = process.platform === 'linux' && existsSync(setpriv)
  return isThere ? [setpriv, '--pdeathsig', 'KILL', '--', ...command] : command
}

export async function startOwn(program: Program): Promise<OwnServer> {
  const data = await mkdtemp(join(tmpdir(), 'revela-server-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  let told = ''

  const isAlive = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null
  const onExit = (): void => void child?.kill('SIGKILL')
  const kill = async (): Promise<void> => {
    if (!child || !isAlive()) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  const start = async (): Promise<void> => {
    const [file, ...args] = tied(program.command(port, data))
    told = ''
    const started = spawn(file!, args, {
      cwd: data,
      env: { ...process.env, ...program.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = started
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        told = (told + text).slice(-4_000)
      })
    }
    await once(started, 'spawn')
    const deadline = Date.now() + START_MS
    while (!(await program.answers(port))) {
      if (!isAlive()) throw new Error(`${file} ended with ${started.exitCode}: ${told}`)
      if (Date.now() > deadline) throw new Error(`${file} does not answer: ${told}`)
      await sleep(LOOK_MS)
    }
  }
  const dispose = async (): Promise<void> => {
    process.off('exit', onExit)
    await kill()
    await rm(data, { recursive: true, force: true })
  }

  process.once('exit', onExit)
  try {
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    uri: program.uri(port),
    port,
    kill,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    start,
    [Symbol.asyncDispose]: dispose,
  }
}
