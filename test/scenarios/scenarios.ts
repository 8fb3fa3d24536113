/** What the API promises, on every target alike: by HTTP, against a started runtime. */
import { describe } from 'vitest'
import { badInput } from './bad-input.ts'
import { creating } from './create.ts'
import { options } from './options.ts'
import { running } from './running.ts'
import type { Target } from './target.ts'

export function scenarios(target: Target): void {
  describe(`on ${target.name}`, () => {
    describe('without keys', () => {
      const place = running(target)
      creating(place)
      options(place)
      badInput(place)
    })
  })
}
