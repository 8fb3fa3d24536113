/** What a drain does with open connections: each gets the answer that it waits for, and none is kept beyond it. */
import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { SILENCE_MS } from './limits.ts'

/** Watches the server's connections; what is returned lets them end. Node itself closes those that are idle. */
export function endingConnections(server: Server): () => void {
  /** By connection the newest answer on it. */
  const answers = new Map<Socket, ServerResponse | null>()
  let ending = false
  server.on('connection', (socket) => {
    answers.set(socket, null)
    socket.once('close', () => answers.delete(socket))
  })
  server.prependListener('request', ({ socket }, outgoing) => {
    answers.set(socket, outgoing)
    if (ending) outgoing.shouldKeepAlive = false
  })
  return () => {
    ending = true
    for (const [socket, outgoing] of answers) {
      // Told already that the connection stays open, and so it must be closed when nothing of the answer is left.
      if (outgoing?.headersSent) outgoing.once('finish', () => socket.end())
      else if (outgoing) outgoing.shouldKeepAlive = false
    }
    // Browsers connect before they have anything to ask for; Node takes that for a request that is on its way.
    const endSilent = (): void => {
      for (const socket of answers.keys()) if (socket.bytesRead === 0) socket.destroy()
    }
    setTimeout(endSilent, SILENCE_MS).unref()
  }
}
