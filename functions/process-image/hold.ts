import type { Advance, Bindings } from '#shared/bindings.ts'
import { CHECK_LEASE_MS } from '#shared/limits.ts'
import type { Task } from '#shared/task.ts'

/** One delivery's hold on its task. Its writes match nothing once a newer delivery, an end or a deletion came between. */
export interface Hold {
  env: Bindings
  task: Task
  fence: number
}

/** Thrown to leave the work when the hold is lost. */
export class HoldLost extends Error {
  override readonly name = 'HoldLost'
}

/** @throws HoldLost */
export async function advance({ env, task, fence }: Hold, change: Advance): Promise<void> {
  if (!(await env.tasks.advance(task.id, fence, change))) throw new HoldLost()
}

/**
 * Says from time to time that the work goes on: a task of which nothing is heard is sent again. Resolves or rejects as
 * the work does.
 */
export async function keeping<T>(hold: Hold, work: () => Promise<T>): Promise<T> {
  const { env, task, fence } = hold
  const goOn = (): void => {
    // Told that it is too late, the work may go on, but holds nothing any more.
    if (env.invocation.signal.aborted) return clearInterval(timer)
    // Where it is not heard, the worst that comes of it is a message too many.
    env.tasks.advance(task.id, fence, { nextCheckAt: Date.now() + CHECK_LEASE_MS }).catch(() => {})
  }
  const timer = setInterval(goOn, CHECK_LEASE_MS / 3)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}
