/** Values that come as text. One message for whatever is wrong: what was expected. What came is added where it is answered. */
import { z } from '@hono/zod-openapi'

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

const part = z.string({ error: 'Expected one value' }).optional()

/** What a signed link carries; whether it is right was decided before the function ran. */
export const signature = {
  exp: part.openapi({ description: 'Part of a signed link: its end, in Unix seconds.' }),
  sig: part.openapi({ description: 'Part of a signed link: its signature.' }),
}
