/** Programs that serve functions, each a process of its own on a port of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { until } from '../runtime/until.ts'

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export interface Program {
  url: string
  /** SIGTERM; rejects when it does not end with exit status 0. */
  stop(): Promise<void>
}

export interface ProgramOptions {
  command: readonly string[]
  env: Record<string, string>
  port: number
  cwd?: string
}

/** However busy the machine: what does not start at all ends, and that is seen at once. */
const START_MS = 60_000

/** Resolves once it is ready. */
export async function startProgram({ command, env, port, cwd }: ProgramOptions): Promise<Program> {
  const [file, ...args] = command as [string, ...string[]]
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(file, args, {
    cwd,
    env: { PATH, HOME, LOG_LEVEL: 'error', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000)
    })
  }
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  let ended = false
  void exited.then(() => (ended = true))
  const url = `http://127.0.0.1:${port}`
  const answers = async (): Promise<boolean> => {
    if (ended) return true
    return await fetch(`${url}/readyz`).then(
      async (response) => {
        await response.body?.cancel()
        return response.ok
      },
      () => false,
    )
  }
  await until(`${command.join(' ')} answers`, answers, START_MS).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw error
  })
  if (ended) throw new Error(`${command.join(' ')} ended\n${said}`)
  return {
    url,
    async stop() {
      child.kill('SIGTERM')
      const [code, signal] = await exited
      if (code !== 0) throw new Error(`expected exit status 0 after SIGTERM, got ${code ?? signal}\n${said}`)
    },
  }
}

const PORT_TRIES = 5

/** A port that is free when it is looked for may be another's when it is taken. */
export async function startOnFreePort(
  options: (port: number) => Omit<ProgramOptions, 'port'>,
  tries = PORT_TRIES,
): Promise<Program> {
  const port = await freePort()
  try {
    return await startProgram({ ...options(port), port })
  } catch (error) {
    if (tries <= 1 || !String(error).includes('EADDRINUSE')) throw error
    return await startOnFreePort(options, tries - 1)
  }
}

export function entry(name: string): string {
  return fileURLToPath(new URL(`entries/${name}.ts`, import.meta.url))
}
