/** One container: a warm child process that runs a function, spoken to as Fetch over HTTP/2 on a socket pair. */
import { type ChildProcess, spawn } from 'node:child_process'
import { type ClientHttp2Session, connect } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Bindings } from '#shared/bindings.ts'
import { notStarted } from '#shared/not-started.ts'
import type { Description } from '../../../console/describe.ts'
import { DeadlinePassed, FunctionDied } from '../../invocation.ts'
import type { AllowedCalls } from './call-rules.ts'
import { type Channel, openChannel } from './channel.ts'
import { type Command, containerCommand } from './command.ts'
import {
  type ChildMessage,
  type ContainerInit,
  CHANNEL_FD,
  HEADER_PAIRS_MAX,
  type ParentMessage,
  REQUESTS_FD,
} from './container-protocol.ts'
import { containerRuns } from './container-runs.ts'
import { clientGone, cutOff, exchange } from './exchange.ts'
import { CONTAINER_MESSAGE_BYTES_MAX, CONTAINER_START_MS, CONTAINER_STOP_MS } from './limits.ts'

export interface Container {
  readonly pid: number | undefined
  /** Rejects when the function cannot be loaded, or its process ends before it is. */
  ready: Promise<Description>
  exited: Promise<void>
  /** Invocations that run in it, and all that it took. */
  active: () => number
  served: () => number
  /** Gets nothing more: it is ending, or a deadline passed in it, and whatever it still does was not stopped by that. */
  spoiled: () => boolean
  /** Rejects with FunctionDied when the process ends first. */
  fetch(request: Request, env: Bindings, task?: string): Promise<Response>
  /** Ends its whole process group at once. */
  kill(): void
}

export interface ContainerOptions {
  allowed: AllowedCalls
  /** Called after each invocation that is over, in whatever way. */
  onRest: () => void
  command?: Command | undefined
  startMs?: number | undefined
  stopMs?: number | undefined
}

function spawnChild(command: Command): ChildProcess {
  const child = spawn(command.file, command.args, {
    env: command.env,
    // A group of its own: Ctrl-C in a terminal must not reach it before the drain does.
    detached: true,
    // No IPC channel of Node's: what its parser cannot read it throws where nobody can catch it.
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', 'pipe', 'pipe'],
  })
  // Told a turn later, when nobody is there any more who would hear it.
  child.on('error', () => undefined)
  // Out of descriptors Node makes no pipe, whatever its types say.
  if ((child as Partial<ChildProcess>).stdio === undefined) {
    throw new FunctionDied('The container could not be started: too many files are open.')
  }
  return child
}

function openSession(child: ChildProcess): ClientHttp2Session {
  const createConnection = (): Duplex => child.stdio[REQUESTS_FD] as Duplex
  const session = connect('http://container', { createConnection, maxHeaderListPairs: HEADER_PAIRS_MAX })
  // What goes wrong shows on each stream, and as the process's end.
  session.on('error', () => undefined)
  return session
}

/** Ends the group, whose leader may be gone already. */
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    child.kill('SIGKILL')
  }
}

/** Tells the process's end once, when whatever else was in its group is ended too. */
function exitOf(child: ChildProcess, onExit: () => void): Promise<void> {
  return new Promise<void>((resolve) => {
    const gone = (): void => {
      killGroup(child)
      onExit()
      resolve()
    }
    child.once('exit', gone).once('error', gone)
  })
}

function readiness(child: ChildProcess, exited: Promise<void>, startMs: number) {
  const { promise, resolve, reject } = Promise.withResolvers<Description>()
  const timer = setTimeout(() => {
    reject(new Error(`the container was not ready within ${startMs} ms`))
    killGroup(child)
  }, startMs)
  void exited.then(() => reject(new FunctionDied('the container ended while it was starting')))
  void promise.catch(() => undefined).finally(() => clearTimeout(timer))
  const hear = (message: ChildMessage): void => {
    if (message.type === 'ready') resolve(message.description)
    if (message.type === 'broken') reject(new Error(message.error))
  }
  return { ready: promise, hear }
}

/** Throws FunctionDied when no process can be had. */
export function startContainer(init: Omit<ContainerInit, 'watch'>, options: ContainerOptions): Container {
  const { allowed, onRest, command = containerCommand() } = options
  const { startMs = CONTAINER_START_MS, stopMs = CONTAINER_STOP_MS } = options
  const child = spawnChild(command)
  const session = openSession(child)
  let served = 0
  let late = false
  let ended = false
  const kill = (): void => {
    if (!ended) killGroup(child)
  }
  const runs = containerRuns({ allowed, send: (message) => channel.send(message), kill, stopMs, onRest })
  const exited = exitOf(child, () => {
    ended = true
    channel.end()
    cutOff(session)
    runs.endAll()
  })
  const { ready, hear } = readiness(child, exited, startMs)
  const channel: Channel<ParentMessage> = openChannel(child.stdio[CHANNEL_FD] as Duplex, {
    // What decodes hostile pixels may say anything; one that says nonsense is no longer ours.
    onMessage(message: ChildMessage, bytes) {
      hear(message)
      runs.hear(message, bytes)
    },
    onEnd: kill,
    heardBytesMax: CONTAINER_MESSAGE_BYTES_MAX,
    waits: true,
  })
  channel.send({ type: 'init', init: { ...init, watch: !command.diesWithParent } })

  return {
    pid: child.pid,
    ready,
    exited,
    active: runs.active,
    served: () => served,
    spoiled: () => late || session.closed || session.destroyed,
    kill,
    async fetch(request, env, task) {
      const { signal } = env.invocation
      // Its time went by while it waited for a container.
      if (signal.aborted) return clientGone()
      if (ended || session.closed) throw notStarted(new FunctionDied('The container ended before it was asked.'))
      served++
      const run = runs.begin(env, task)
      signal.addEventListener('abort', () => (late ||= signal.reason instanceof DeadlinePassed), { once: true })
      return await exchange({ session, request, invocation: env.invocation, heard: run.heard, onClose: run.close })
    },
  }
}
