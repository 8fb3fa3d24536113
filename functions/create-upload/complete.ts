/** POST /uploads/{taskId}: what was sent is looked at as POST /tasks looks at it, and becomes a task of the upload's id. */
import type { Accepted } from '#shared/answer-accepted.ts'
import type { Bindings } from '#shared/bindings.ts'
import { tooLarge } from '#shared/body.ts'
import { InvocationEnded, Problem, unavailable } from '#shared/errors.ts'
import { taskCreated } from '#shared/message.ts'
import { newTask } from '#shared/new-task.ts'
import { invalid } from '#shared/options/faults.ts'
import { hashOnly, receiveImage } from '#shared/picture/receive.ts'
import { refuseCost, uploadedSource } from '#shared/source.ts'
import { type Source, type Task, TASK_ID } from '#shared/task.ts'
import { uploadKey, uploadTermsKey } from '#shared/variant.ts'
import { expired, noUpload, readTerms, refuseExpired, type Terms } from './terms.ts'

/** Another completion may have been faster at any step: then its task is the answer. */
async function orTask(env: Bindings, taskId: string, problem: Problem): Promise<Task> {
  const task = await env.tasks.get(taskId)
  if (!task) throw problem
  return task
}

function missing(): Problem {
  return new Problem('upload-missing', 'Nothing was uploaded yet: PUT the file to uploadUrl, then complete.')
}

/** Only where the file itself is the reason: it will never do. */
function isRefusal(error: unknown): boolean {
  return error instanceof Problem && [400, 413, 415, 422].includes(error.status)
}

async function letGo({ blobs, invocation }: Bindings, taskId: string): Promise<void> {
  for (const key of [uploadKey(taskId), uploadTermsKey(taskId)]) {
    await blobs.delete(key).catch((err: unknown) => {
      invocation.log.warn('what was uploaded stays beside its task', { err })
    })
  }
}

/** The file as a task's source, in its place; null where it is not there. */
async function sourceOf(env: Bindings, taskId: string, terms: Terms): Promise<Source | null> {
  const blob = await env.blobs.get(uploadKey(taskId))
  if (!blob) return null
  const { bytes } = terms
  if (blob.bytes !== bytes) {
    await blob.body.cancel()
    if (blob.bytes > bytes) throw tooLarge(bytes, 'What was sent')
    throw invalid('', `Expected ${bytes} bytes, as the upload was asked for with, got ${blob.bytes}.`)
  }
  const received = await receiveImage(blob.body, taskId, env.settings, hashOnly)
  if (received.header) refuseCost(env, terms, received.header)
  const there = await env.blobs.copy(uploadKey(taskId), received.key)
  return there ? uploadedSource(received, terms.filename) : null
}

/** Leaves what was uploaded as it is when it fails: the same call again goes on from here. */
async function insert(env: Bindings, task: Task): Promise<Accepted> {
  const outcome = await env.tasks
    .create(task, taskCreated(task.id, env.invocation.traceparent))
    .catch((error: unknown) => {
      if (error instanceof InvocationEnded) throw error
      return { error }
    })
  if (outcome === 'created') return { task, replayed: false }
  const there = await env.tasks.get(task.id)
  if (there) return { task: there, replayed: outcome === 'exists' }
  if (outcome === 'exists') throw noUpload(task.id)
  throw outcome.error instanceof Problem ? outcome.error : unavailable('task store', outcome.error)
}

async function make(env: Bindings, taskId: string, terms: Terms): Promise<Accepted> {
  const source = await sourceOf(env, taskId, terms)
  if (!source) return { task: await orTask(env, taskId, missing()), replayed: true }
  // Half of the grace is past when the links are; the collector comes after all of it.
  if (Date.now() > terms.expiresAt + env.settings.gcGraceMs / 4) throw expired()
  if (env.invocation.signal.aborted) throw new Problem('request-timeout', 'The request ended early.')
  const accepted = await insert(env, newTask(env, taskId, { ...terms, source, fingerprint: null, retryOf: null }))
  // Discarded between another's completion and our copy: it must not lie there anew.
  if (source.key !== null && accepted.task.source.key !== source.key) await env.blobs.delete(source.key)
  return accepted
}

export async function completeUpload(env: Bindings, taskId: string): Promise<Accepted> {
  if (!TASK_ID.test(taskId)) throw noUpload(taskId)
  env.invocation.taskId(taskId)
  const before = await env.tasks.get(taskId)
  if (before) return { task: before, replayed: true }
  const terms = await readTerms(env, taskId)
  if (!terms) return { task: await orTask(env, taskId, noUpload(taskId)), replayed: true }
  refuseExpired(terms)
  try {
    const accepted = await make(env, taskId, terms)
    await letGo(env, taskId)
    return accepted
  } catch (error) {
    if (isRefusal(error)) await letGo(env, taskId)
    throw error
  }
}
