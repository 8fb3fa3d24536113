/** The inside of a container: loads one function, opens its blobs and fetch, and answers over the socket pair. */
import module from 'node:module'

module.enableCompileCache()

import { readSync } from 'node:fs'
import { createServer } from 'node:http2'
import { Socket } from 'node:net'
import { Worker, isMainThread } from 'node:worker_threads'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import type { Bindings, Invocation, Logger } from '#shared/bindings.ts'
import type { App } from '#shared/http.ts'
import { openContainerBindings } from '../../bindings.ts'
import {
  type ChildMessage,
  type ContainerInit,
  INVOCATION_HEADER,
  type InvocationHeader,
  type ParentMessage,
} from './container-protocol.ts'
import { describeApp } from '../../console/describe.ts'
import { checkApp } from '../../host.ts'
import { remoteBindings } from './rpc.ts'

const SOCKET_FD = 4
const WATCH_FD = 5

function send(message: ChildMessage): void {
  if (process.connected) process.send!(message, undefined, undefined, () => undefined)
}

function remoteInvocation(header: InvocationHeader, request: Request): Invocation {
  const note = (content: Extract<ChildMessage, { type: 'note' }>['note']): void =>
    send({ type: 'note', invocation: header.id, note: content })
  const at = (log: keyof Logger) => (message: string, fields?: Record<string, unknown>) => {
    // An Error survives the channel, what hangs on it may not: its stack is what a reader needs.
    const plain =
      fields &&
      Object.fromEntries(
        Object.entries(fields).map(([key, value]) => [
          key,
          value instanceof Error ? { name: value.name, message: value.message, stack: value.stack } : value,
        ]),
      )
    note({ log, message, ...(plain ? { fields: plain } : {}) })
  }
  return {
    ...header,
    signal: request.signal,
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    taskId: (taskId) => note({ taskId }),
    measure: (...measure) => note({ measure: measure as Parameters<Invocation['measure']> }),
  }
}

async function start(init: ContainerInit): Promise<void> {
  const imported = (await import(init.index)) as { default?: App }
  const app = checkApp(imported.default, init.trigger)
  const { blobs, fetch } = await openContainerBindings(init.storage)
  const remote = remoteBindings(send)
  process.on('message', (message: ParentMessage) => {
    if (message.type === 'result') remote.result(message)
  })
  const answer = async (request: Request, { outgoing }: HttpBindings): Promise<Response> => {
    const header = JSON.parse(request.headers.get(INVOCATION_HEADER) ?? '{}') as InvocationHeader
    // Done when nothing of it can still ask for a binding: the body is sent, or the caller is gone.
    const settled = Promise.withResolvers<void>()
    const closed = new Promise<void>((resolve) => outgoing.once('close', resolve))
    void Promise.all([settled.promise, closed]).then(() => send({ type: 'done', invocation: header.id }))
    const env: Bindings = {
      ...remote.of(header.id),
      blobs,
      fetch,
      settings: init.settings,
      invocation: remoteInvocation(header, request),
    }
    try {
      return await app.fetch(request, env)
    } finally {
      settled.resolve()
    }
  }
  const listener = getRequestListener(answer as Parameters<typeof getRequestListener>[0])
  const server = createServer((incoming, outgoing) => void listener(incoming as never, outgoing as never))
  server.emit('connection', new Socket({ fd: SOCKET_FD }))
  send({ type: 'ready', description: describeApp(app) })
}

/** A spinning main thread hears no 'disconnect': a second thread waits for the pipe to end, and ends the process. */
function watchParent(): void {
  new Worker(new URL(import.meta.url)).unref()
}

if (isMainThread) {
  process.once('disconnect', () => process.exit(0))
  process.once('message', (message: ParentMessage) => {
    if (message.type !== 'init') return
    if (message.init.watch) watchParent()
    start(message.init).catch((error: unknown) => {
      send({ type: 'broken', error: error instanceof Error ? error.message : String(error) })
    })
  })
} else {
  readSync(WATCH_FD, Buffer.alloc(1))
  process.kill(process.pid, 'SIGKILL')
}
