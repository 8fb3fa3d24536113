/** One request becomes one task, or leaves nothing behind. */
import type { Accepted } from '#shared/answer-accepted.ts'
import type { Bindings } from '#shared/bindings.ts'
import { InvocationEnded, Problem, unavailable } from '#shared/errors.ts'
import { taskCreated } from '#shared/message.ts'
import { newTask } from '#shared/new-task.ts'
import { refuseCallback } from '#shared/source.ts'
import { newTaskId, type Task } from '#shared/task.ts'
import type { BodyKind } from './body.ts'
import { type Claim, deleted, fingerprintOf, refuseOther } from './idempotency.ts'
import { readTask } from './read.ts'
import { type Deposit, hashOnly, storeIn } from '#shared/picture/receive.ts'
import { placeSource, sourceText } from './source.ts'
import { isStale } from './stale.ts'

function tookTooLong(): Problem {
  return new Problem('unavailable', 'The request took too long; send it again.', { headers: { 'Retry-After': '1' } })
}

function refuseStale(env: Bindings, taskId: string): void {
  if (isStale(taskId, env.settings)) throw tookTooLong()
}

/** `null` when this call made the task, else the one that has its id. */
async function insert(env: Bindings, task: Task, deposit: Deposit, claim: Claim | null): Promise<Task | null> {
  try {
    const outcome = await env.tasks.create(task, taskCreated(task.id, env.invocation.traceparent))
    if (outcome === 'created') return null
  } catch (error) {
    if (error instanceof InvocationEnded) throw error
    // The write may have reached the store all the same: only what it says now decides.
    const there = await env.tasks.get(task.id).catch(() => undefined)
    if (there) return there
    // Not known: the files stay. A task without them would fail; files without a task are collected. The key stays with
    // the id, which another request would else get a second task beside.
    if (there === undefined || (error instanceof Problem && error.unanswered)) {
      Object.assign(deposit, { begun: false, key: null } satisfies Deposit)
      claim?.lapse()
    }
    throw error instanceof Problem ? error : unavailable('task store', error)
  }
  const there = await env.tasks.get(task.id)
  if (!there) throw deleted()
  return there
}

/** Another request under the same key, or this one's own write that seemed to fail, has made the task. */
async function yieldTo(env: Bindings, existing: Task, task: Task, deposit: Deposit): Promise<Accepted> {
  const { key } = deposit
  Object.assign(deposit, { begun: false, key: null } satisfies Deposit)
  if (key !== null && existing.source.key !== key) await env.blobs.delete(key)
  if (task.fingerprint !== null) refuseOther(existing, task.fingerprint)
  return { task: existing, replayed: task.fingerprint !== null }
}

/** Removes what this request stored, unless another request may build on it: then the collector decides. */
async function undo(env: Bindings, taskId: string, deposit: Deposit, claim: Claim | null): Promise<void> {
  // The key first: once it is free nobody gets the id any more.
  const alone = claim === null || (await claim.release())
  if (!alone || !deposit.begun) return
  if (!claim?.takenOver) await env.blobs.deleteTask(taskId)
  else if (deposit.key !== null) await env.blobs.delete(deposit.key)
}

async function attempt(
  env: Bindings,
  request: Request,
  kind: BodyKind,
  claim: Claim | null,
  deposit: Deposit,
  taskId: string,
) {
  refuseStale(env, taskId)
  const takenOver = claim?.takenOver ?? false
  const sink = storeIn(env, deposit, takenOver)
  const asked = await readTask(request, kind, env, { taskId, sink })
  refuseCallback(env, asked.callbackUrl)
  const copying = (key: Deposit['key']): void => void Object.assign(deposit, { begun: true, key } satisfies Deposit)
  const source = await placeSource(env, asked, { taskId, takenOver, sink, copying })
  refuseStale(env, taskId)
  if (env.invocation.signal.aborted) throw new Problem('request-timeout', 'The request ended early.')
  const fingerprint = claim && fingerprintOf(sourceText(asked.source), asked)
  const retryOf = asked.source.kind === 'task' ? asked.source.taskId : null
  const task = newTask(env, taskId, { ...asked, source, fingerprint, retryOf })
  // Another request may have the key by now, or have freed it: whose task this would be is no longer known.
  if (claim?.held() === false) throw tookTooLong()
  const existing = await insert(env, task, deposit, claim)
  return existing === null ? { task, replayed: false } : await yieldTo(env, existing, task, deposit)
}

export async function acceptTask(
  env: Bindings,
  request: Request,
  kind: BodyKind,
  claim: Claim | null,
): Promise<Accepted> {
  const taskId = claim?.taskId ?? newTaskId()
  env.invocation.taskId(taskId)
  const deposit: Deposit = { begun: false, key: null }
  try {
    const accepted = await attempt(env, request, kind, claim, deposit, taskId)
    claim?.keep()
    return accepted
  } catch (error) {
    await undo(env, taskId, deposit, claim).catch((err: unknown) => {
      env.invocation.log.warn('a refused request left something behind, which will be collected', { err })
    })
    throw error
  }
}

/** The key's task is there: the request is read, nothing of it is stored, and the same request gets the same task. */
export async function replayTask(env: Bindings, request: Request, kind: BodyKind, task: Task): Promise<Accepted> {
  env.invocation.taskId(task.id)
  const asked = await readTask(request, kind, env, { taskId: task.id, sink: hashOnly })
  refuseOther(task, fingerprintOf(sourceText(asked.source), asked))
  return { task, replayed: true }
}
