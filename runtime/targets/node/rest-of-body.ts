/**
 * What is left of a body when its answer is out: nobody reads it, and @hono/node-server takes it from the connection, so
 * that the next request can be read. But where reading had begun, the stream that began it stops the flow again as soon
 * as it has enough, and half a second later a connection is closed on which the next request may be under way.
 */
import type { IncomingMessage, Server } from 'node:http'

/** Ends whoever still reads, with an error: to them a body that just ended would look whole. */
function endReaders(incoming: IncomingMessage): void {
  if (incoming.readableEnded || incoming.destroyed || incoming.listenerCount('data') === 0) return
  incoming.once('error', () => undefined)
  incoming.emit('error', new Error('The answer was sent before the body was read.'))
  incoming.removeAllListeners('data')
}

export function letGoOfBodies(server: Server): void {
  server.on('request', (incoming, outgoing) => {
    if (incoming.method === 'GET' || incoming.method === 'HEAD') return
    // A client that went away has ended its body itself.
    outgoing.once('close', () => outgoing.writableFinished && endReaders(incoming))
  })
}
