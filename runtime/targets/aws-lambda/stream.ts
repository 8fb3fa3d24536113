/** Answers that flow while they are made: function URLs with InvokeMode RESPONSE_STREAM. */
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { headOf } from './http.ts'

/** What the host puts there: https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html */
export type StreamingHost = typeof awslambda

/** The SDK makes an `awslambda` of its own where there is none: what counts is what it can do. */
export function streamingHost(): StreamingHost | null {
  const { awslambda: host } = globalThis as { awslambda?: Partial<StreamingHost> }
  return host?.streamifyResponse && host.HttpResponseStream ? host : null
}

/**
 * Rejects where the body breaks off, and leaves the stream as it is: the runtime client tells Lambda so behind what was
 * sent. A stream that is destroyed instead, as `pipeline` does it, ends the whole process.
 */
export async function sendResponse(host: StreamingHost, stream: Writable, response: Response): Promise<void> {
  const sink = host.HttpResponseStream.from(stream, { ...headOf(response) })
  // The head goes with the first write.
  sink.write('')
  for await (const chunk of response.body ?? []) if (!sink.write(chunk)) await once(sink, 'drain')
  sink.end()
}

/** What is no HTTP: as a handler's result would be sent. */
export function sendResult(stream: Writable, result: unknown): void {
  stream.end(JSON.stringify(result ?? null))
}
