/** One stored file as an answer: conditions first, then the range, and only then the disk. */
import { httpDateSeconds, namesEtag, refuseChanged } from '#shared/conditional.ts'
import { Problem } from '#shared/errors.ts'
import type { AppContext } from '#shared/http.ts'
import { SECOND_MS } from '#shared/limits.ts'
import type { StoredFile } from '#shared/variant.ts'
import { parseRange } from './range.ts'

export interface FileAnswer {
  file: StoredFile
  mediaType: string
  /** Unix ms. */
  lastModified: number
  cacheControl: string
  /** `Vary: Accept`: another request may get other bytes of the same date. */
  negotiated: boolean
  headers: Record<string, string>
  /** Whether the file should still be there; false when it was deleted since the task was read. */
  stillRecorded(): Promise<boolean>
}

/** By a date only where it names one file: else a JPEG that stood in for what was preferred would be confirmed for ever. */
function notModified(c: AppContext, etag: string, { lastModified, negotiated }: FileAnswer): boolean {
  const names = c.req.header('if-none-match')
  if (names !== undefined) return namesEtag(names, etag)
  if (negotiated) return false
  const since = httpDateSeconds(c.req.header('if-modified-since'))
  return since !== null && Math.floor(lastModified / SECOND_MS) <= since
}

/** `If-Range`: a tag by strong comparison, a date only where it names one file. */
function rangeApplies(c: AppContext, etag: string, lastModified: string, negotiated: boolean): boolean {
  const condition = c.req.header('if-range')
  return condition === undefined || condition === etag || (condition === lastModified && !negotiated)
}

async function missing(c: AppContext, answer: FileAnswer): Promise<Problem> {
  if (await answer.stillRecorded()) c.env.invocation.log.error('a recorded file is not there', { key: answer.file.key })
  return new Problem('not-found', 'The file is not there any more.')
}

export async function sendFile(c: AppContext, answer: FileAnswer): Promise<Response> {
  const { file, mediaType, cacheControl, negotiated } = answer
  const etag = `"${file.sha256}"`
  const lastModified = new Date(answer.lastModified).toUTCString()
  const vary: Record<string, string> = negotiated ? { Vary: 'Accept' } : {}
  const headers = {
    ETag: etag,
    'Last-Modified': lastModified,
    'Cache-Control': cacheControl,
    ...vary,
    ...answer.headers,
  }
  refuseChanged(c.req.raw.headers, { etag, lastModified: answer.lastModified }, vary)
  if (notModified(c, etag, answer)) return new Response(null, { status: 304, headers })

  const whole = { ...headers, 'Content-Type': mediaType, 'Accept-Ranges': 'bytes' }
  if (c.req.method === 'HEAD')
    return new Response(null, { headers: { ...whole, 'Content-Length': String(file.bytes) } })
  const ranged = rangeApplies(c, etag, lastModified, negotiated)
  const range = ranged ? parseRange(c.req.header('range'), file.bytes) : null
  if (range === 'unsatisfiable') {
    throw new Problem('range-not-satisfiable', `Expected a range within ${file.bytes} bytes.`, {
      headers: { 'Content-Range': `bytes */${file.bytes}`, ...vary },
    })
  }

  const blob = await c.env.blobs.get(file.key, range ?? undefined)
  if (!blob) throw await missing(c, answer)
  if (blob.bytes !== file.bytes) {
    await blob.body.cancel()
    c.env.invocation.log.error('a file has another length than recorded', {
      key: file.key,
      bytes: blob.bytes,
      recorded: file.bytes,
    })
    throw new Problem('internal-error', 'The stored file is not the one that was recorded; the log has more.')
  }
  if (!range) return new Response(blob.body, { headers: { ...whole, 'Content-Length': String(file.bytes) } })
  return new Response(blob.body, {
    status: 206,
    headers: {
      ...whole,
      'Content-Length': String(range.end - range.start + 1),
      'Content-Range': `bytes ${range.start}-${range.end}/${file.bytes}`,
    },
  })
}
