/** One container: a warm child process that runs a function, spoken to as Fetch over HTTP/2 on a socket pair. */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2'
import type { Duplex } from 'node:stream'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Bindings } from '#shared/bindings.ts'
import { type Command, containerCommand } from './command.ts'
import {
  type ChildMessage,
  type ContainerInit,
  INVOCATION_HEADER,
  type InvocationHeader,
  type ParentMessage,
} from './container-protocol.ts'
import type { Description } from '../../console/describe.ts'
import { DeadlinePassed, FunctionDied } from '../../invocation.ts'
import { CONTAINER_START_MS, CONTAINER_STOP_MS } from './limits.ts'
import { serveCalls } from './rpc.ts'

export interface Container {
  /** Rejects when the function cannot be loaded, or its process ends before it is. */
  ready: Promise<Description>
  exited: Promise<void>
  /** Invocations that run in it, and all that it took. */
  active: () => number
  served: () => number
  fetch(request: Request, env: Bindings): Promise<Response>
  /** Ends its whole process group at once. */
  kill(): void
}

const CHILD = fileURLToPath(new URL('container-child.ts', import.meta.url))
// Connection-specific fields have no place in HTTP/2 (RFC 9113 §8.2.2).
const DROPPED = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'host',
  'upgrade',
  'proxy-connection',
  'te',
  'expect',
  'http2-settings',
])

function requestHeaders(request: Request, { invocation }: Bindings): Record<string, string> {
  const url = new URL(request.url)
  const headers: Record<string, string> = {
    ':method': request.method,
    ':path': url.pathname + url.search,
    ':authority': url.host,
    ':scheme': 'http',
  }
  for (const [name, value] of request.headers) if (!DROPPED.has(name)) headers[name] = value
  const { id, function: name, attempt, deadline, traceparent, caller } = invocation
  headers[INVOCATION_HEADER] = JSON.stringify({
    id,
    function: name,
    attempt,
    deadline,
    traceparent,
    caller,
  } satisfies InvocationHeader)
  return headers
}

function toResponse(stream: ClientHttp2Stream, headers: IncomingHttpHeaders, method: string): Response {
  const status = Number(headers[':status'])
  const plain = Object.entries(headers).filter(([name]) => !name.startsWith(':')) as [string, string | string[]][]
  const pairs = plain.flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => [name, one] as [string, string]),
  )
  const empty = method === 'HEAD' || status === 204 || status === 304
  if (empty) stream.resume()
  return new Response(empty ? null : (Readable.toWeb(stream) as ReadableStream<Uint8Array>), { status, headers: pairs })
}

function spawnChild(command: Command): ChildProcess {
  return spawn(command.file, command.args, {
    env: command.env,
    // A group of its own: Ctrl-C in a terminal must not reach it before the drain does.
    detached: true,
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe', 'pipe'],
  })
}

/** `onDone` is told of each invocation that is over, in whatever way. */
export function startContainer(
  init: Omit<ContainerInit, 'watch'>,
  onDone: () => void,
  command = containerCommand(CHILD),
): Container {
  const child = spawnChild(command)
  const session: ClientHttp2Session = connect('http://container', { createConnection: () => child.stdio[4] as Duplex })
  session.on('error', () => undefined)
  const invocations = new Map<string, Bindings>()
  let served = 0
  const send = (message: ParentMessage): void => void (child.connected && child.send(message, () => undefined))
  const calls = serveCalls((id) => invocations.get(id), send)
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      child.kill('SIGKILL')
    }
  }
  const exited = new Promise<void>((resolve) => {
    const gone = (): void => {
      session.destroy()
      resolve()
    }
    child.once('exit', gone).once('error', gone)
  })
  const finish = (id: string): void => {
    if (!invocations.delete(id)) return
    calls.endInvocation(id)
    onDone()
  }
  const ready = new Promise<Description>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`the container was not ready within ${CONTAINER_START_MS} ms`))
      kill()
    }, CONTAINER_START_MS)
    void exited.then(() => reject(new FunctionDied('the container ended while it was starting')))
    child.on('message', (message: ChildMessage) => {
      if (message.type === 'call') calls.call(message)
      else if (message.type === 'done') finish(message.invocation)
      else if (message.type === 'note') {
        const env = invocations.get(message.invocation)
        if (env) calls.note(env, message)
      } else {
        clearTimeout(timer)
        if (message.type === 'ready') resolve(message.description)
        else reject(new Error(message.error))
      }
    })
    void exited.then(() => clearTimeout(timer))
  })
  ready.catch(() => undefined)
  send({ type: 'init', init: { ...init, watch: !command.diesWithParent } })

  return {
    ready,
    exited,
    active: () => invocations.size,
    served: () => served,
    kill,
    fetch(request, env) {
      served++
      const { id } = env.invocation
      invocations.set(id, env)
      void exited.then(() => finish(id))
      return new Promise((resolve, reject) => {
        const died = (cause?: unknown): void =>
          reject(new FunctionDied('The container ended before it answered.', { cause }))
        if (session.destroyed) return died()
        const stream = session.request(requestHeaders(request, env), { endStream: request.body === null })
        const abort = (): void => {
          stream.close(constants.NGHTTP2_CANCEL)
          // A client that went away is no reason to stop the process; a deadline is, unless it stops by itself now.
          if (env.invocation.signal.reason instanceof DeadlinePassed)
            setTimeout(() => invocations.has(id) && kill(), CONTAINER_STOP_MS)
        }
        env.invocation.signal.addEventListener('abort', abort, { once: true })
        stream.once('response', (headers) => resolve(toResponse(stream, headers, request.method)))
        stream.once('error', died).once('close', died)
        if (request.body) {
          const body = Readable.fromWeb(request.body as import('node:stream/web').ReadableStream)
          body.on('error', (error) => stream.destroy(error))
          body.pipe(stream)
        }
      })
    },
  }
}
