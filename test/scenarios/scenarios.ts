/** What the API promises, on every target alike: by HTTP, against a started runtime. */
import { describe, expect, it } from 'vitest'
import { leaveOut } from './exceptions.ts'
import { expectAnswers, type OpenApiDocument, undocumented } from './answers.ts'
import { badInput } from './bad-input.ts'
import { callbacks, callbacksUnset } from './callback.ts'
import { configured } from './configured.ts'
import { creating } from './create.ts'
import { deleting } from './delete.ts'
import { edge } from './edge.ts'
import { gettingTasks } from './get-task.ts'
import { gettingVariants } from './get-variant.ts'
import { hostile } from './hostile.ts'
import { idempotency } from './idempotency.ts'
import { keys } from './keys.ts'
import { listing } from './list.ts'
import { looksRight } from './looks-right.ts'
import { negotiation } from './negotiation.ts'
import { options } from './options.ts'
import { outages } from './outage.ts'
import { photos } from './photos.ts'
import { underway } from './underway.ts'
import { uploads } from './uploads.ts'
import { urls } from './urls.ts'
import { running } from './running.ts'
import { slowSources } from './slow-source.ts'
import type { Target } from './target.ts'

export function scenarios(target: Target): void {
  describe(`on ${target.name}`, () => {
    leaveOut(`on ${target.name}`, target.exceptions ?? {})
    const slowSourcesEnd = slowSources(target)
    // Side by side: a callback's second try takes its time.
    urls(target)
    callbacks(target)
    underway(target)
    outages(target)
    keys(target)
    configured(target)
    describe('without keys', () => {
      const place = running(target)
      creating(place)
      options(place)
      badInput(place)
      callbacksUnset(place)
      idempotency(place)
      gettingTasks(place)
      gettingVariants(place)
      negotiation(place)
      listing(place)
      deleting(place)
      uploads(place)
      looksRight(place)
      hostile(place)
      photos(place)
      edge(place)

      slowSourcesEnd()

      it('whatever was answered in all of this, the OpenAPI document describes', async () => {
        expectAnswers(400)
        const document = (await (await place.api.fetch('/openapi.json')).json()) as OpenApiDocument
        expect(undocumented(document)).toEqual([])
      })
    })
  })
}
