/** The channel between the runtime and a container: messages, beside the requests, over a socket pair of their own. */
import type { Duplex } from 'node:stream'
import { encodeFrame, frameReader } from './frames.ts'

export interface ChannelOptions<Heard> {
  /** What it throws ends the channel, and so does a message that is none. `bytes`: of its JSON. */
  onMessage: (message: Heard, bytes: number) => void
  /** Called once: the other side is gone, or says what no one should. */
  onEnd: () => void
  /** Of one message of the other side, and of one of ours: bytes. */
  heardBytesMax?: number
  sentBytesMax?: number
  /** Hears nothing while the other side leaves unread what it was sent, which would fill the memory. One side alone may. */
  waits?: boolean
}

export interface Channel<Sent> {
  /** Throws where the message has no JSON, or too much of it; lost when the other side is gone. */
  send: (message: Sent) => void
  end: () => void
}

export function openChannel<Sent, Heard>(socket: Duplex, options: ChannelOptions<Heard>): Channel<Sent> {
  const { onMessage, onEnd, heardBytesMax, sentBytesMax, waits = false } = options
  // What it holds is judged by who takes it.
  const read = frameReader((message, bytes) => onMessage(message as Heard, bytes), heardBytesMax)
  socket.on('data', (chunk: Buffer) => {
    try {
      read(chunk)
    } catch {
      socket.destroy()
    }
  })
  if (waits) socket.on('drain', () => socket.resume())
  // Whatever goes wrong closes it.
  socket.on('error', () => undefined)
  socket.once('end', () => socket.destroy())
  socket.once('close', onEnd)
  return {
    send(message) {
      const frame = encodeFrame(message, sentBytesMax)
      if (socket.writable && !socket.write(frame) && waits) socket.pause()
    },
    end: () => void socket.destroy(),
  }
}
