/** A task as the body of an answer, with the tag that names it: GET sends both, DELETE may ask for it. */
import { createHash } from 'node:crypto'
import type { Bindings } from './bindings.ts'
import type { Validators } from './conditional.ts'
import { represent } from './representation.ts'
import type { Task } from './task.ts'

export interface TaskBody extends Validators {
  /** JSON. */
  body: string
}

/** The tag is strong: the same tag is the same body, byte for byte, signed links and all. */
export async function taskBody(task: Task, { links, invocation }: Pick<Bindings, 'links' | 'invocation'>) {
  const body = JSON.stringify(await represent(task, links, invocation.caller))
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  return { body, etag, lastModified: Date.parse(task.updatedAt) } satisfies TaskBody
}
