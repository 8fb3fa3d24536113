/** A client's server that is told of tasks: it notes what came, and answers what the test wants. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a runtime needs in order to send callbacks to this machine. */
export const CALLBACKS = {
  PUBLIC_URL: 'http://127.0.0.1:9',
  WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
  ALLOW_HOSTS: '127.0.0.1',
}

export interface Call {
  webhookId: string
  type: string
  subject: string
}

export interface Receiver extends AsyncDisposable {
  url: string
  /** Also those that it refused. */
  calls: Call[]
  /** A status, or `down`: connections are cut off. */
  answer: number | 'down'
}

export async function openReceiver(): Promise<Receiver> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { type, subject } = JSON.parse(Buffer.concat(chunks).toString()) as Call
      receiver.calls.push({ webhookId: String(request.headers['webhook-id']), type, subject })
      if (receiver.answer === 'down') request.socket.destroy()
      else response.writeHead(receiver.answer).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/done`,
    calls: [],
    answer: 204,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return receiver
}
