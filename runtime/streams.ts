/** Open event streams: bounded in number, and ended at a drain. */
import { Problem, problemResponse } from '#shared/errors.ts'
import { BUSY_RETRY_SECONDS, STREAMS_MAX } from './limits.ts'

export interface Streams {
  /** Passes every other Response through; an event stream is counted, or refused when there are too many. */
  admit(response: Response, instance: string): Response
  /** Ends every open stream as if its source had. */
  end(): void
  count(): number
}

export function createStreams(publicUrl: string | undefined, max = STREAMS_MAX): Streams {
  const open = new Set<() => void>()
  const track = (body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> => {
    const reader = body.getReader()
    let stop = (): void => {}
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          stop = () => {
            open.delete(stop)
            controller.close()
            reader.cancel().catch(() => undefined)
          }
          open.add(stop)
        },
        async pull(controller) {
          const { done, value } = await reader.read()
          if (!open.has(stop)) return
          if (!done) return controller.enqueue(value)
          open.delete(stop)
          controller.close()
        },
        async cancel(reason) {
          open.delete(stop)
          await reader.cancel(reason)
        },
      },
      { highWaterMark: 0 },
    )
  }
  return {
    admit(response, instance) {
      if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true || !response.body)
        return response
      if (open.size < max)
        return new Response(track(response.body), { status: response.status, headers: response.headers })
      response.body.cancel().catch(() => undefined)
      const headers = { 'Retry-After': String(BUSY_RETRY_SECONDS) }
      return problemResponse(
        new Problem('unavailable', `This server has ${max} event streams open, the most it allows.`, { headers }),
        { publicUrl, instance },
      )
    },
    end() {
      for (const stop of [...open]) stop()
    },
    count: () => open.size,
  }
}
