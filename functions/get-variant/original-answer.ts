/** The original's bytes, to be saved and never to be shown: whatever a browser might make of them. */
import { Problem } from '#shared/errors.ts'
import type { AppContext } from '#shared/http.ts'
import { isTerminal, type Task } from '#shared/task.ts'
import { attachment } from './disposition.ts'
import { cacheControl } from './freshness.ts'
import { awaitTask, failure, notFinished } from './readiness.ts'
import { sendFile } from './send-file.ts'

export async function answerOriginal(c: AppContext, found: Task, waitSeconds: number): Promise<Response> {
  const { settings, invocation, tasks } = c.env
  const task = await awaitTask(c.env, found, waitSeconds, (now) => now.source.key !== null || isTerminal(now))
  const { key, bytes, sha256, mediaType, filename } = task.source
  if (key === null || bytes === null || sha256 === null) {
    if (!isTerminal(task)) throw notFinished()
    if (task.status === 'failed') throw failure(task)
    throw new Problem('original-gone', 'The original of this task was discarded.', { status: 404 })
  }
  return await sendFile(c, {
    file: { key, bytes, sha256 },
    mediaType: mediaType ?? 'application/octet-stream',
    lastModified: Date.parse(task.createdAt),
    cacheControl: cacheControl({ settings, caller: invocation.caller, task, stopgap: false }),
    negotiated: false,
    headers: {
      'Content-Disposition': attachment(filename, mediaType),
      'X-Content-Type-Options': 'nosniff',
    },
    // A discarded original is deleted before the document says so.
    stillRecorded: async () => task.options.original === 'keep' && (await tasks.get(task.id)) !== null,
  })
}
