/** WebP and AVIF of a JPEG variant: by Accept, or by ?format. */
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import type { TaskRepresentation } from '#shared/representation.ts'
import { picture } from '../pictures.ts'
import { answerOf } from './client.ts'
import { expectBands } from '../pixels.ts'
import type { Place } from './running.ts'

/** As Chrome sends it for an image. */
const CHROME = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8'

export function negotiation(place: Place): void {
  describe('another format than JPEG', () => {
    let task: TaskRepresentation
    let href: string
    beforeAll(async () => {
      task = await place.api.completed(await picture(), { variants: '240x,1x' })
      href = task.variants[0]!.href
    })
    const typeFor = async (accept: string): Promise<string | null> => {
      const { headers, status } = await place.api.fetch(href, { headers: { accept } })
      expect([status, headers.get('vary')]).toEqual([200, expect.stringContaining('Accept')])
      return headers.get('content-type')
    }
    /** The first demand may be answered with the JPEG, where the machine needs longer than two seconds for it. */
    const made = async (accept: string, type: string): Promise<void> =>
      await expect.poll(async () => await typeFor(accept), { timeout: 20_000 }).toBe(type)

    it.each([
      ['image/webp', 'image/webp', 'webp'],
      ['image/avif', 'image/avif', 'heif'],
    ])('%s is made on demand, stored, and looks the same', async (accept, type, decoder) => {
      await made(accept, type)
      const response = await place.api.fetch(href, { headers: { accept } })
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
      const bytes = Buffer.from(await response.arrayBuffer())
      expect(response.headers.get('etag')).not.toBe(`"${task.variants[0]!.sha256}"`)
      expect(await sharp(bytes).metadata()).toMatchObject({ format: decoder, width: 240, height: 180 })
      await expectBands(bytes, 14)
      const fresh = await place.api.fetch(href, { headers: { accept, 'if-none-match': response.headers.get('etag')! } })
      expect(fresh.status).toBe(304)
      expect((await place.runtime.files()).filter((file) => file.includes(task.id))).toContain(
        `output/${task.id}/240x.${type.slice('image/'.length)}`,
      )
    })

    it('Accept decides: named types alone, by q, the smaller of equals', async () => {
      await made('image/webp', 'image/webp')
      await made('image/avif', 'image/avif')
      for (const [accept, type] of [
        [CHROME, 'image/avif'],
        ['image/webp,*/*', 'image/webp'],
        ['image/avif;q=0.5,image/webp;q=0.9,image/jpeg;q=0.1', 'image/webp'],
        ['image/avif;q=0,image/webp;q=0,*/*', 'image/jpeg'],
        ['image/webp;q=0.5,image/jpeg', 'image/jpeg'],
        ['image/*', 'image/jpeg'],
        ['*/*', 'image/jpeg'],
        ['text/html', 'image/jpeg'],
      ] as const)
        expect([accept, await typeFor(accept)]).toEqual([accept, type])
    })

    it('leaves the task as it was', async () => {
      expect(await place.api.get(task.id)).toEqual(task)
    })

    it('?format fixes it, whatever Accept says, and needs no Vary', async () => {
      for (const format of ['webp', 'avif', 'jpeg']) {
        const fixed = async (): Promise<Response> =>
          await place.api.fetch(`${href}?format=${format}`, { headers: { accept: 'image/png' } })
        await expect.poll(async () => (await fixed()).status, { timeout: 20_000 }).toBe(200)
        const { headers } = await fixed()
        expect(headers.get('content-type')).toBe(`image/${format}`)
        expect(headers.get('vary') ?? '').not.toContain('Accept')
      }
    })

    it('?format with a wait is there at the first demand, however long it takes to make', async () => {
      const { variants } = await place.api.completed(await picture({ width: 1600, height: 1200 }), {
        variants: '1600x',
      })
      const { status, headers } = await place.api.fetch(`${variants[0]!.href}?format=avif&wait=30`)
      expect([status, headers.get('content-type')]).toEqual([200, 'image/avif'])
    })

    it('refuses a format that is not offered', async () => {
      for (const format of ['png', 'gif', 'JPEG', ''])
        expect(await answerOf(await place.api.fetch(`${href}?format=${format}`))).toBe('400 invalid-request')
    })

    it('a variant that is no JPEG is sent as it is, to everybody', async () => {
      const png = await place.api.completed(await picture(), { variants: '50x', format: 'png' })
      const own = await place.api.fetch(png.variants[0]!.href, { headers: { accept: CHROME } })
      expect([own.headers.get('content-type'), own.headers.get('vary') ?? '']).toEqual([
        'image/png',
        expect.not.stringContaining('Accept'),
      ])
      expect(await answerOf(await place.api.fetch(`${png.variants[0]!.href}?format=webp`))).toBe('400 invalid-request')
    })

    it('of a file that is lost ends with 404, not with 503 for ever', async (context) => {
      const { lose } = place.runtime
      if (!lose) context.skip('this target cannot lose a file')
      const { id, variants } = await place.api.completed(await picture(), { variants: '60x' })
      await lose!(`output/${id}/60x.jpg`)
      const answer = async (): Promise<string> =>
        await answerOf(await place.api.fetch(`${variants[0]!.href}?format=webp`))
      await expect.poll(answer, { timeout: 20_000 }).toBe('404 not-found')
      expect(await answerOf(await place.api.fetch(variants[0]!.href, { headers: { accept: CHROME } }))).toBe(
        '404 not-found',
      )
    })

    it('many who ask at once get one and the same file', async () => {
      const small = task.variants[1]!.href
      const asked = Array.from({ length: 20 }, async () => {
        const response = await place.api.fetch(`${small}?format=webp`)
        return response.status === 200 ? response.headers.get('etag') : 'later'
      })
      const etags = new Set((await Promise.all(asked)).filter((etag) => etag !== 'later'))
      expect(etags.size).toBeLessThanOrEqual(1)
    })
  })
}
