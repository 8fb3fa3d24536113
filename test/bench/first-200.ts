/** CPU from the start of a process to its first 200. */
import { type ChildProcess, spawn } from 'node:child_process'
import { get } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Sample } from './measured.ts'
import { type Place, spawnRuntime, stop } from './processes.ts'
import { startCpuMs } from './process-tree.ts'

const RETRY_MS = 2

const BARE = fileURLToPath(new URL('contestants/bare-http.mjs', import.meta.url))

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Null while nobody listens. */
function statusOf(port: number, path: string): Promise<number | null> {
  return new Promise((resolve) => {
    get({ port, path, host: '127.0.0.1', agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode ?? null)
    }).on('error', () => resolve(null))
  })
}

export interface First {
  /** The process without those that it starts. */
  alone: Sample
  tree: Sample
}

export async function first200(startProcess: (port: number) => ChildProcess, path: string): Promise<First> {
  const port = await freePort()
  const startedAt = performance.now()
  const child = startProcess(port)
  try {
    while ((await statusOf(port, path)) !== 200) {
      if (child.exitCode !== null) throw new Error('the process ended before it answered')
      await sleep(RETRY_MS)
    }
    const { alone, tree } = startCpuMs(child.pid!)
    const wallMs = performance.now() - startedAt
    return { alone: { cpuMs: alone, wallMs }, tree: { cpuMs: tree, wallMs } }
  } finally {
    await stop(child)
  }
}

export function startOurs({ folder, env }: Place, command?: readonly string[]): (port: number) => ChildProcess {
  return (port) => {
    const child = spawnRuntime({ folder, env: { ...env, SERVER_PORT: String(port) } }, command)
    // What it says is not read; a full pipe would hold it.
    child.stderr!.resume()
    return child
  }
}

export function startBare({ env }: Place): (port: number) => ChildProcess {
  return (port) =>
    spawn(process.execPath, [BARE], {
      env: { ...env, SERVER_PORT: String(port) },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
}
