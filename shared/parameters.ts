/** Parameters: those that are validated, each with one message that says what was expected, and those that are described. */
import { z } from '@hono/zod-openapi'
import { WAIT_SECONDS_MAX } from './limits.ts'

export function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, { error: `Expected one of ${values.join(', ')}` })
}

/** Digits alone. `unit` names what is counted. */
export function whole(unit: string, min: number, max: number) {
  const error = `Expected a whole number of ${unit} from ${min} to ${max}`
  return z
    .string({ error })
    .regex(/^\d{1,9}$/, { error })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error })
}

export interface Described {
  description: string
  example?: string
  schema?: { type: 'string'; minLength?: number; maxLength?: number }
}

/**
 * Parameters of which any text is a right one, as the document shows them. No validator is made of them: that of headers
 * would copy all that every request has, a twelfth of what reading a cached task costs.
 */
function described(place: 'path' | 'query' | 'header', parts: Record<string, Described>) {
  const required = place === 'path'
  return Object.entries(parts).map(([name, { schema = { type: 'string' as const }, ...words }]) =>
    Object.assign(words, { name, in: place, required, schema }),
  )
}

export const headerParameters = (headers: Record<string, Described>) => described('header', headers)
export const pathParameters = (parts: Record<string, Described>) => described('path', parts)

export const taskId: Described = {
  description: '`id` of the Task.',
  example: '0199d7a2-7c00-7000-8000-5d3a1c2b4e6f',
}

/** What a signed link carries; whether it is right was decided before the function ran. */
export const signatureParameters = described('query', {
  exp: { description: 'Part of a signed link: its end, in Unix seconds.' },
  sig: { description: 'Part of a signed link: its signature.' },
})

export const preferWaitHeader = {
  Prefer: {
    description: `\`wait=n\` (RFC 7240): hold the answer up to n seconds, at most ${WAIT_SECONDS_MAX}, until the task has ended.`,
    example: 'wait=20',
  },
}
