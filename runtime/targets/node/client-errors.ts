/** What is so wrong with a request that Node's parser gives it up: answered as a problem too, not with an empty body. */
import { type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { Problem, problemResponse } from '#shared/errors.ts'
import { SECURE_HEADERS } from '../../triggers/http.ts'
import { answerOn } from './answer.ts'
import { HEADER_BYTES_MAX } from './limits.ts'

function problemOf(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new Problem(
      'headers-too-large',
      `Expected a URL and headers of at most ${HEADER_BYTES_MAX} bytes, got more.`,
    )
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem('request-timeout', 'The request did not arrive in time.')
  return new Problem('invalid-request', 'The request is not valid HTTP.')
}

/**
 * Whether what is written now is taken for the answer to what failed. Of a request that came as a whole it is not the
 * answer, but of what comes behind it; and in the middle of an answer, or before an earlier one, there is no place.
 */
function canAnswer(socket: Duplex): boolean {
  const answer = answerOn(socket)
  if (!answer) return true
  return answer.req.complete ? answer.writableFinished : answer.isNext && !answer.headersSent
}

async function write(socket: Duplex, problem: Problem, publicUrl: string | undefined): Promise<void> {
  const { status, headers, body } = problemResponse(problem, { publicUrl, instance: '/' })
  const text = await new Response(body).text()
  const own = { ...SECURE_HEADERS, 'Content-Length': String(Buffer.byteLength(text)), Connection: 'close' }
  const lines = [...headers, ...Object.entries(own)]
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  // The function may have answered meanwhile.
  if (!canAnswer(socket)) socket.destroy()
  else socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${text}`)
}

export function answerClientErrors(server: Server, publicUrl: string | undefined): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET' || !canAnswer(socket)) {
      socket.destroy()
      return
    }
    void write(socket, problemOf(error.code), publicUrl)
  })
}
