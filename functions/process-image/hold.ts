import type { Advance, Bindings } from '#shared/bindings.ts'
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
