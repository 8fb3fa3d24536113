/** One connection, written to and read from as bytes, so that a request can be begun before a drain and ended in it. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { until } from '../runtime/until.ts'

export interface Connection {
  write(text: string): void
  /** What came so far. */
  text(): string
  /** Resolves with what came, once it matches. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  closed: Promise<string>
}

export async function connectTo(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.setEncoding('latin1')
  let text = ''
  let over = false
  socket.on('data', (chunk: string) => (text += chunk))
  socket.on('error', () => undefined)
  const closed = new Promise<string>((resolve) => {
    socket.once('close', () => {
      over = true
      resolve(text)
    })
  })
  await once(socket, 'connect')
  return {
    write: (part) => void socket.write(part),
    text: () => text,
    says: async (pattern) =>
      await until(
        `${pattern} on the connection`,
        () => {
          const found = pattern.exec(text)
          if (!found && over) throw new Error(`the connection closed without ${pattern}: ${text}`)
          return found
        },
        60_000,
      ),
    closed,
  }
}
