/**
 * Sends a fixed number of equal requests over keep-alive connections. Raw sockets: a client library would cost more than
 * the server that is measured, and on two cores the server would wait for it.
 */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { answerMessages } from './answer.ts'

export interface Load {
  port: number
  method: 'GET' | 'POST'
  path: string
  body?: { file: string; type: string }
  requests: number
  connections: number
  /** The status that every answer must have. */
  status: number
}

const HEAD_END = '\r\n\r\n'

/** Bytes of the first whole answer in the buffer; null while there is none. */
function answerBytes(buffer: Buffer, status: number): number | null {
  const end = buffer.indexOf(HEAD_END)
  if (end === -1) return null
  const head = buffer.toString('latin1', 0, end)
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (!head.startsWith(`HTTP/1.1 ${status} `) || length === undefined) throw new Error(`unexpected answer: ${head}`)
  const bytes = end + HEAD_END.length + Number(length)
  return buffer.length >= bytes ? bytes : null
}

function requestBytes({ port, method, path, body }: Load): Buffer {
  const content = body ? readFileSync(body.file) : Buffer.alloc(0)
  const fields = body ? `Content-Type: ${body.type}\r\nContent-Length: ${content.length}\r\n` : ''
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${fields}\r\n`), content])
}

answerMessages(async (load: Load): Promise<{ wallMs: number }> => {
  const request = requestBytes(load)
  let unsent = load.requests
  const run = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port: load.port, host: '127.0.0.1', noDelay: true })
      let buffer = Buffer.alloc(0)
      const next = (): void => {
        if (unsent-- > 0) socket.write(request)
        else socket.end(resolve)
      }
      socket.on('error', reject)
      socket.on('connect', next)
      socket.on('data', (chunk) => {
        try {
          buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk])
          const bytes = answerBytes(buffer, load.status)
          if (bytes === null) return
          buffer = buffer.subarray(bytes)
          next()
        } catch (error) {
          socket.destroy(error as Error)
        }
      })
    })
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: load.connections }, run))
  return { wallMs: performance.now() - startedAt }
})
