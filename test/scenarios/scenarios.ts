/** What the API promises, on every target alike: by HTTP, against a started runtime. */
import { describe } from 'vitest'
import { badInput } from './bad-input.ts'
import { creating } from './create.ts'
import { deleting } from './delete.ts'
import { gettingTasks } from './get-task.ts'
import { gettingVariants } from './get-variant.ts'
import { hostile } from './hostile.ts'
import { idempotency } from './idempotency.ts'
import { listing } from './list.ts'
import { looksRight } from './looks-right.ts'
import { negotiation } from './negotiation.ts'
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
      idempotency(place)
      gettingTasks(place)
      gettingVariants(place)
      negotiation(place)
      listing(place)
      deleting(place)
      looksRight(place)
      hostile(place)
    })
  })
}
