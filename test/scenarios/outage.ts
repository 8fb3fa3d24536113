/** A store that is away: 503 with Retry-After, and nothing half-written. */
import { beforeAll, describe, expect, it } from 'vitest'
import { picture } from '../pictures.ts'
import { answerOf, WAIT } from './client.ts'
import { ask } from './raw-request.ts'
import { running } from './running.ts'
import type { Target } from './target.ts'

export function outages(target: Target): void {
  describe('an outage', () => {
    const place = running(target)
    let cat: Buffer
    beforeAll(async () => {
      cat = await picture({ width: 200, height: 150 })
    })

    it('of the blob store', async (context) => {
      const { outage, files } = place.runtime
      if (!outage.blobs) context.skip('this target cannot take its blob store away')
      const { id } = await place.api.completed(cat, { variants: '9x' })
      const before = await files()
      const mend = await outage.blobs!()
      try {
        for (const response of [await place.api.upload(cat), await place.api.raw(cat)]) {
          expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
          expect(await answerOf(response)).toBe('503 unavailable')
        }
      } finally {
        await mend()
      }
      expect(await files()).toEqual(before)
      const { items } = (await (await place.api.fetch('/tasks')).json()) as { items: { id: string }[] }
      expect(items.map((item) => item.id)).toEqual([id])
      expect((await place.api.upload(cat, { variants: '9x' }, WAIT)).status).toBe(201)
    })

    it('of the volume: nothing counts as gone, and nothing is written where it was', async (context) => {
      const { volume } = place.runtime.outage
      if (!volume) context.skip('this target has no volume')
      const { id, variants, links } = await place.api.completed(cat, { variants: '9x' })
      const [href, original] = [variants[0]!.href, links.original!]
      const paths = [href, `${href}?format=webp`, original]
      const before = await place.runtime.files()
      const mend = await volume!()
      try {
        for (const path of paths) {
          const response = await place.api.fetch(path)
          expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
          expect(await answerOf(response)).toBe('503 unavailable')
        }
        for (const response of [await place.api.upload(cat), await place.api.json({ taskId: id })]) {
          expect(await answerOf(response)).toBe('503 unavailable')
        }
        expect(await place.runtime.files()).toEqual([])
      } finally {
        await mend()
      }
      expect(await place.runtime.files()).toEqual(before)
      for (const path of [href, original]) expect((await place.api.fetch(path)).status).toBe(200)
      expect((await place.api.upload(cat, { variants: '9x' }, WAIT)).status).toBe(201)
    })

    it('of the task store', { timeout: 60_000 }, async (context) => {
      const { outage, files } = place.runtime
      if (!outage.tasks) context.skip('this target cannot take its task store away')
      await expect.poll(async () => await place.messages('active')).toBe(0)
      const before = await files()
      const key = { 'idempotency-key': 'during-the-outage' }
      const mend = await outage.tasks!()
      try {
        const url = `${place.api.url}/tasks`
        const { status, headers, body } = await ask(url, { 'content-type': 'image/jpeg', ...key }, 'POST', cat)
        expect([status, body.code, Number(headers['retry-after']) > 0]).toEqual([503, 'unavailable', true])
      } finally {
        await mend()
      }
      await expect.poll(files).toEqual(before)
      const again = await place.api.upload(cat, { variants: '9x' }, { ...key, ...WAIT })
      expect([again.status, again.headers.has('idempotent-replayed')]).toEqual([201, false])
    })
  })
}
