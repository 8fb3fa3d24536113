/** Open event streams: bounded in number, and ended at a drain. */
import { Problem } from '#shared/errors.ts'
import { BUSY_RETRY_SECONDS, STREAMS_MAX } from './limits.ts'

export interface Streams {
  /** Passes every other Response through. One event stream too many is let go, and a Problem thrown in its place. */
  admit(response: Response): Response
  /** Ends every open stream as if its source had. */
  end(): void
}

export function createStreams(max = STREAMS_MAX): Streams {
  const open = new Set<() => void>()
  const track = (body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> => {
    const reader = body.getReader()
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const stop = (): void => {
      open.delete(stop)
      // Either side may be gone already; what matters is that neither is held.
      reader.cancel().catch(() => undefined)
      writer.close().catch(() => undefined)
    }
    const pump = async (): Promise<void> => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) await writer.write(next.value)
    }
    open.add(stop)
    writer.closed.catch(stop)
    pump().then(stop, stop)
    return readable
  }
  return {
    admit(response) {
      if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body) return response
      const { body, status, headers } = response
      if (open.size < max) return new Response(track(body), { status, headers })
      body.cancel().catch(() => undefined)
      const retry = { 'Retry-After': String(BUSY_RETRY_SECONDS) }
      throw new Problem('unavailable', `This server has ${max} event streams open, the most it allows.`, {
        headers: retry,
      })
    },
    end: () => open.forEach((stop) => stop()),
  }
}
