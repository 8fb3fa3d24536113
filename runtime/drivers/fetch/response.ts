/** undici's answer as a Response, its body still on the wire. */
import type { Dispatcher } from 'undici'
import { problemOf } from './failure.ts'

/** RFC 9110 §15 and Fetch: these have no body, and Response refuses one. */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/** Lets go of a body that nobody reads, and of its connection. */
export function discard({ body }: Dispatcher.ResponseData): void {
  body.on('error', () => {}).destroy()
}

/** Throws TypeError or RangeError where the answer is none that Fetch knows, and lets go of it. */
export function responseOf(data: Dispatcher.ResponseData, host: string, signal: AbortSignal): Response {
  const status = data.statusCode
  try {
    const headers = headersOf(data)
    if (!NULL_BODY.has(status)) return new Response(streamOf(data.body, host, signal), { status, headers })
    discard(data)
    return new Response(null, { status, headers })
  } catch (error) {
    discard(data)
    throw error
  }
}

function headersOf(data: Dispatcher.ResponseData): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(data.headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) headers.append(name, one)
  }
  return headers
}

/** Read only as fast as it is taken; errors are Problems. */
function streamOf(
  body: Dispatcher.ResponseData['body'],
  host: string,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  // Between two reads nobody else listens, and an abort then would end the process.
  body.on('error', () => {})
  const chunks: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = await chunks.next()
          if (next.done === true) controller.close()
          else controller.enqueue(next.value)
        } catch (error) {
          throw problemOf(error, host, signal)
        }
      },
      cancel() {
        body.destroy()
      },
    },
    { highWaterMark: 0 },
  )
}
