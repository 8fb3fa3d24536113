/** Where the image comes from, and what of it is known when the task is made. */
import type { Bindings } from '#shared/bindings.ts'
import { Problem } from '#shared/errors.ts'
import { refuseCost, refuseUrl, UNKNOWN_SOURCE, uploadedSource } from '#shared/source.ts'
import { isTerminal, type Source, type Task, TASK_ID } from '#shared/task.ts'
import { EXTENSION, INPUT_FORMATS, type InputFormat, originalKey } from '#shared/variant.ts'
import type { Asked } from '#shared/options/options.ts'
import { type Received, refusePixels, type Sink } from '#shared/picture/receive.ts'

/** What the request said, before anything is looked up. */
export type AskedSource =
  | { kind: 'upload'; image: Received; filename: string | null }
  | { kind: 'url'; url: string }
  | { kind: 'task'; taskId: string }

/** The part of the fingerprint that stands for the image. */
export function sourceText(source: AskedSource): string {
  if (source.kind === 'upload') return source.image.sha256
  return source.kind === 'url' ? `url:${source.url}` : `task:${source.taskId}`
}

function formatOf(key: string): InputFormat {
  const format = INPUT_FORMATS.find((format) => key.endsWith(`.${EXTENSION[format]}`))
  if (!format) throw new Error('A stored original has an extension of no input format.')
  return format
}

function gone(taskId: string): Problem {
  return new Problem('original-gone', `The original of task ${taskId} is not there any more; send the image again.`)
}

async function findTask(env: Bindings, taskId: string): Promise<Task> {
  const task = TASK_ID.test(taskId) ? await env.tasks.get(taskId) : null
  if (!task) throw new Problem('not-found', `There is no task ${taskId.slice(0, 100)}.`)
  return task
}

/** Copies another task's original. Under a taken-over id it goes through the sink, which compares what is there. */
async function copied(env: Bindings, from: string, asked: Asked, target: SourceTarget): Promise<Source> {
  const task = await findTask(env, from)
  const { source } = task
  if (source.key === null) {
    if (source.kind === 'url' && !isTerminal(task)) {
      const headers = { 'Retry-After': '2' }
      throw new Problem('task-not-finished', `The original of task ${from} is still being fetched.`, { headers })
    }
    throw gone(from)
  }
  const format = formatOf(source.key)
  if (source.width !== null && source.height !== null) {
    refusePixels(source.width * source.height, format, env.settings)
    refuseCost(env, asked, { width: source.width, height: source.height, upright: true })
  }
  const key = originalKey(target.taskId, format)
  if (target.takenOver) {
    const blob = await env.blobs.get(source.key)
    if (!blob) throw gone(from)
    await target.sink(key, blob.body)
  } else {
    target.copying(key)
    if (!(await env.blobs.copy(source.key, key))) throw gone(from)
  }
  return { ...source, kind: 'task', key }
}

/** Where a task's original goes. */
export interface SourceTarget {
  taskId: string
  takenOver: boolean
  sink: Sink
  /** Told before a copy is made, so that it can be removed. */
  copying(key: NonNullable<Source['key']>): void
}

/** The task's source, its original in place (but for a URL, which is fetched later). Refuses what may not be. */
export async function placeSource(
  env: Bindings,
  asked: Asked & { source: AskedSource },
  target: SourceTarget,
): Promise<Source> {
  const { source } = asked
  if (source.kind === 'url') {
    refuseUrl(env, source.url, 'url')
    return { ...UNKNOWN_SOURCE, kind: 'url', url: source.url }
  }
  if (source.kind === 'task') return await copied(env, source.taskId, asked, target)
  if (source.image.header) refuseCost(env, asked, source.image.header)
  return uploadedSource(source.image, source.filename)
}
