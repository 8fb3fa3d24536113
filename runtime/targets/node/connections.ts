/** What a drain does with open connections: each gets the answer that it waits for, and none is kept beyond it. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { answerOn } from './answer.ts'
import { SILENCE_MS } from './limits.ts'

/** Watches the server's connections; what is returned lets them end. Node itself closes those that are idle. */
export function endingConnections(server: Server): () => void {
  const open = new Set<Socket>()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  return () => {
    server.prependListener('request', (_incoming, outgoing) => {
      outgoing.shouldKeepAlive = false
    })
    for (const socket of open) {
      const answer = answerOn(socket)
      // Told already that the connection stays open, and so it must be closed when nothing of the answer is left.
      if (answer?.headersSent) answer.once('finish', () => socket.end())
      else if (answer) answer.shouldKeepAlive = false
    }
    // Browsers connect before they have anything to ask for; Node takes that for a request that is on its way.
    const endSilent = (): void => {
      for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
    }
    setTimeout(endSilent, SILENCE_MS).unref()
  }
}
