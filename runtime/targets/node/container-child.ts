/** The inside of a container: loads one function, opens its blobs and fetch, and answers over the socket pair. */
import { createServer } from 'node:http2'
import { Socket } from 'node:net'
import { extname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import type { Bindings } from '#shared/bindings.ts'
import type { App } from '#shared/http.ts'
import { openStorage } from '../../../stacks/storage.ts'
import { describeApp } from '../../../console/describe.ts'
import { checkApp, messageOf } from '../../host.ts'
import { openChannel } from './channel.ts'
import {
  CHANNEL_FD,
  type ChildMessage,
  type ContainerInit,
  HEADER_PAIRS_MAX,
  INVOCATION_HEADER,
  type InvocationHeader,
  NOTES_HEADER,
  type ParentMessage,
  REQUESTS_FD,
} from './container-protocol.ts'
import { CONTAINER_MESSAGE_BYTES_MAX } from './limits.ts'
import { remoteInvocation } from './remote-invocation.ts'
import { remoteBindings } from './rpc.ts'

const { send } = openChannel<ChildMessage, ParentMessage>(new Socket({ fd: CHANNEL_FD }), {
  onMessage(message) {
    if (message.type === 'result') remote.result(message)
    else begin(message.init)
  },
  onEnd: () => process.exit(0),
  sentBytesMax: CONTAINER_MESSAGE_BYTES_MAX,
})
const remote = remoteBindings(send)

async function start(init: ContainerInit): Promise<void> {
  const imported = (await import(init.index)) as { default?: App }
  const app = checkApp(imported.default, init.trigger)
  const { blobs, fetch } = await openStorage(init.storage)
  const answer = async (request: Request, { outgoing }: HttpBindings): Promise<Response> => {
    const header = JSON.parse(request.headers.get(INVOCATION_HEADER) ?? '{}') as InvocationHeader
    // Done when nothing of it can still ask for a binding: the body is sent, or the caller is gone.
    const settled = Promise.withResolvers<void>()
    const closed = new Promise<void>((resolve) => outgoing.once('close', resolve))
    void Promise.all([settled.promise, closed]).then(() => send({ type: 'done', invocation: header.id }))
    const { invocation, notes } = remoteInvocation(header, request.signal, send)
    const env: Bindings = { ...remote.of(header.id), blobs, fetch, settings: init.settings, invocation }
    try {
      const response = await app.fetch(request, env)
      outgoing.setHeader(NOTES_HEADER, String(notes()))
      return response
    } finally {
      settled.resolve()
    }
  }
  // Its own cleanup of unread bodies cuts off answers longer than a flow-control window.
  const options = { autoCleanupIncoming: false }
  const listener = getRequestListener(answer as Parameters<typeof getRequestListener>[0], options)
  const server = createServer({ maxHeaderListPairs: HEADER_PAIRS_MAX }, (incoming, outgoing) => {
    void listener(incoming, outgoing)
  })
  server.emit('connection', new Socket({ fd: REQUESTS_FD }))
  send({ type: 'ready', description: describeApp(app) })
}

function begin(init: ContainerInit): void {
  if (init.watch) new Worker(join(import.meta.dirname, `container-watch${extname(import.meta.filename)}`)).unref()
  start(init).catch((error: unknown) => {
    send({ type: 'broken', error: messageOf(error) })
  })
}
