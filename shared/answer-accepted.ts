/** The answer to an accepted request: the task, as it is or as it ends within the time that was asked for. */
import type { Bindings } from './bindings.ts'
import { SECOND_MS } from './limits.ts'
import { represent, type TaskRepresentation } from './representation.ts'
import { isTerminal, type Task } from './task.ts'
import { waitFor } from './wait.ts'

const RETRY_AFTER_SECONDS = 1
/** From the end of a wait to the deadline: the task is read once more, written out and sent. */
const ANSWER_MARGIN_MS = SECOND_MS

export interface Accepted {
  task: Task
  /** The task was there before this request. */
  replayed: boolean
}

/** The task as soon as it is terminal, else as it is when the time is up, or the deadline near. */
async function whenTerminal({ tasks, invocation }: Bindings, task: Task, waitMs: number): Promise<Task> {
  // A 504 would have the client send again what was accepted.
  const ms = Math.min(waitMs, invocation.deadline - Date.now() - ANSWER_MARGIN_MS)
  try {
    // Deleted meanwhile: it was accepted all the same.
    return (await waitFor(tasks, task.id, invocation.signal, ms, isTerminal)) ?? task
  } catch (error) {
    // The task is accepted: that nobody can watch it does not change the answer.
    invocation.log.warn('the task could not be watched', { err: error })
    return task
  }
}

export interface Answer {
  status: 201 | 202
  headers: Record<string, string>
  body: TaskRepresentation
}

/** The accepting function's answer: 201 with a terminal task when a wait was asked for and it ended in time, else 202. */
export async function answerAccepted(
  env: Bindings,
  { task, replayed }: Accepted,
  waitSeconds: number | null,
): Promise<Answer> {
  const waiting = waitSeconds !== null && waitSeconds > 0 && !isTerminal(task)
  const latest = waiting ? await whenTerminal(env, task, waitSeconds * SECOND_MS) : task
  const body = await represent(latest, env.links, env.invocation.caller)
  const status = waitSeconds !== null && isTerminal(latest) ? 201 : 202
  const headers: Record<string, string> = {
    // A signature is for whoever reads the task, not for whatever logs the headers.
    Location: body.links.self.split('?')[0]!,
    ...(status === 202 ? { 'Retry-After': String(RETRY_AFTER_SECONDS) } : {}),
    ...(waitSeconds === null ? {} : { 'Preference-Applied': `wait=${waitSeconds}` }),
    ...(replayed ? { 'Idempotent-Replayed': 'true' } : {}),
  }
  return { status, headers, body }
}
