/** Answers that flow while they are made: function URLs with InvokeMode RESPONSE_STREAM. */
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { headOf } from './http.ts'

/** What the host puts there: https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html */
export type StreamingHost = typeof awslambda

export function streamingHost(): StreamingHost | null {
  return (globalThis as { awslambda?: StreamingHost }).awslambda ?? null
}

export async function sendResponse(host: StreamingHost, stream: Writable, response: Response): Promise<void> {
  const body = host.HttpResponseStream.from(stream, { ...headOf(response) })
  // The head goes with the first write.
  body.write('')
  if (response.body === null) body.end()
  else await pipeline(Readable.fromWeb(response.body), body)
}

/** What is no HTTP: as a handler's result would be sent. */
export function sendResult(stream: Writable, result: unknown): void {
  stream.end(JSON.stringify(result ?? null))
}
