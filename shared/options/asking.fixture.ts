/** Options as a client gives them, and what becomes of them. */
import { Problem } from '#shared/errors.ts'
import { testSettings } from '../../test/bindings.ts'
import { type Form, gatherFaults } from './faults.ts'
import { givenAsText } from './given.ts'
import { type Asked, normalise } from './options.ts'

export const settings = testSettings({ presets: { thumb: '200x200:cover', wide: '1600x' } })

export function json(options: object, form: Form = 'json'): Asked {
  const faults = gatherFaults(form)
  const asked = normalise(new Map(Object.entries(options)), settings, faults)
  faults.settle()
  return asked
}

export function text(...pairs: Array<[string, string]>): Asked {
  const faults = gatherFaults('text')
  const asked = normalise(givenAsText(pairs, faults), settings, faults)
  faults.settle()
  return asked
}

export function problem(run: () => unknown): Problem {
  try {
    run()
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
  throw new Error('Nothing was refused.')
}
