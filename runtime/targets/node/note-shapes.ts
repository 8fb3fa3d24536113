/** What the notes of a container look like: a label that it made up would be a series of its own for as long as we live. */
import { z } from 'zod'
import type { Measures } from '#shared/bindings.ts'
import { type ProblemCode, PROBLEMS } from '#shared/errors.ts'
import { DERIVED_FORMATS } from '#shared/message.ts'
import { NOTE_TASK_CHARS_MAX } from './limits.ts'
import type { NoteMessage } from './rpc.ts'

function noteShape() {
  const ended = z.enum(['completed', 'failed'])
  const code = z.enum(['', ...(Object.keys(PROBLEMS) as ProblemCode[])])
  const labelsOf = {
    render_seconds: z.strictObject({ outcome: ended }),
    tasks_total: z.strictObject({ outcome: ended, code }),
    derived_total: z.strictObject({ format: z.enum(DERIVED_FORMATS) }),
    swept_total: z.strictObject({ action: z.enum(['resent', 'expired', 'collected']) }),
    callbacks_total: z.strictObject({ outcome: z.enum(['delivered', 'retried', 'failed']) }),
  } satisfies { [Name in keyof Measures]: z.ZodType<Measures[Name]> }
  const log = z.strictObject({
    log: z.enum(['debug', 'info', 'warn', 'error']),
    message: z.string(),
    fields: z.record(z.string(), z.unknown()).optional(),
  })
  const task = z.strictObject({ taskId: z.string().max(NOTE_TASK_CHARS_MAX) })
  const names = Object.keys(labelsOf) as (keyof Measures)[]
  const measure = z.strictObject({
    measure: z
      .tuple([z.enum(names), z.number().min(0), z.unknown()])
      .refine(([name, , labels]) => labelsOf[name].safeParse(labels).success),
  })
  return z.union([log, task, measure])
}

/** Made for the first note: a start that hears none does not pay for it. */
let shape: ReturnType<typeof noteShape> | undefined

/** Throws on one that no honest container sends. */
export function checkNote(note: unknown): NoteMessage['note'] {
  shape ??= noteShape()
  const { data, error } = shape.safeParse(note)
  if (error) throw new TypeError('Expected a note that a function can make.', { cause: error })
  return data as NoteMessage['note']
}
