/** What process-image tells get-variant of an encoding that it could not make, so that nobody waits for it in vain. */
import type { Bindings } from './bindings.ts'
import { Problem } from './errors.ts'
import { MINUTE_MS } from './limits.ts'
import { DERIVED_FORMATS, type DerivedFormat } from './message.ts'
import { TASK_ID } from './task.ts'
import { VARIANT_NAME } from './variant.ts'

/** After so long it is tried anew: a file may have come back, or the machine have more time. */
export const GIVEN_UP_MS = 10 * MINUTE_MS

/** `lost`: the variant's own file is gone. `failed`: it is there, and no attempt made the encoding of it. */
export const GIVEN_UP = ['lost', 'failed'] as const
export type GivenUp = (typeof GIVEN_UP)[number]

export interface Encoding {
  taskId: string
  variant: string
  format: DerivedFormat
}

/** In the cache alone: where that is away, a reader is asked to come again, as while it is being made. */
function keyOf({ taskId, variant, format }: Encoding): string {
  return `derived:${taskId}.${variant}.${format}`
}

/** True for the key of an encoding that there can be. */
export function isGivenUpKey(key: string): boolean {
  const [, taskId = '', variant = '', format = ''] = /^derived:([^.]*)\.([^.]*)\.([^.]*)$/.exec(key) ?? []
  return TASK_ID.test(taskId) && VARIANT_NAME.test(variant) && DERIVED_FORMATS.some((known) => known === format)
}

export async function giveUp(cache: Bindings['cache'], encoding: Encoding, why: GivenUp): Promise<void> {
  await cache.set(keyOf(encoding), why, GIVEN_UP_MS)
}

/** What its reader is answered, or null while nothing was given up. */
export async function givenUp(cache: Bindings['cache'], encoding: Encoding): Promise<Problem | null> {
  const why = await cache.get(keyOf(encoding))
  if (why === 'lost') return new Problem('not-found', 'The file is not there any more.')
  if (why !== 'failed') return null
  const detail = `The variant could not be made as ${encoding.format}. It is there in its own format.`
  return new Problem('processing-failed', detail, { status: 409 })
}
