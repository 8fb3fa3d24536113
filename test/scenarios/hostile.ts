/** Files made to do harm, and files that came to harm: each is answered, and the next picture too. */
import { beforeAll, describe, expect, it } from 'vitest'
import { animation, bitFlipped, picture, truncated } from '../pictures.ts'
import { answerOf, problemOf, taskOf, WAIT } from './client.ts'
import { hugeAvif, pngHeader, svg, withSize } from './files.ts'
import type { Place } from './running.ts'

const FLIPPED = 60
const AT_ONCE = 4

/** The code of a refusal, or the way that a task has ended that was waited for. */
async function endOf(response: Response): Promise<string> {
  if (response.status >= 400) return (await problemOf(response)).code
  const { status, error } = await taskOf(response)
  return error?.code ?? status
}

export function hostile(place: Place): void {
  describe('hostile', () => {
    let avif: Buffer
    beforeAll(async () => {
      avif = await hugeAvif()
    })

    it('an AVIF of a kilobyte and 49 megapixels', async () => {
      expect(avif.length).toBeLessThan(2_000)
      const { answer, detail } = await problemOf(await place.api.upload(avif))
      expect([answer, detail]).toEqual(['422 image-too-many-pixels', expect.stringContaining('16')])
    })

    it('the same AVIF that says it were small', async () => {
      const task = await taskOf(await place.api.upload(withSize(avif, 1_000, 1_000), {}, WAIT))
      expect(task).toMatchObject({ status: 'failed', variants: [] })
      expect(['image-corrupt', 'image-too-many-pixels']).toContain(task.error?.code)
    })

    it('an AVIF of more than 16 megapixels is refused, one of 16 is not', async () => {
      expect(await answerOf(await place.api.upload(withSize(avif, 4_000, 4_001)))).toBe('422 image-too-many-pixels')
      expect((await place.api.upload(withSize(avif, 4_000, 4_000))).status).toBe(202)
    })

    it('a PNG header of 256 megapixels', async () => {
      const { answer, detail } = await problemOf(await place.api.upload(pngHeader(16_000, 16_000)))
      expect([answer, detail]).toEqual(['422 image-too-many-pixels', expect.stringContaining('256')])
    })

    it('50 megapixels are let in by the header; a row more is not', async () => {
      expect((await place.api.upload(pngHeader(10_000, 5_000))).status).toBe(202)
      expect(await answerOf(await place.api.upload(pngHeader(10_000, 5_001)))).toBe('422 image-too-many-pixels')
    })

    it('a header without pixels', async () => {
      const task = await taskOf(await place.api.upload(pngHeader(100, 100), {}, WAIT))
      expect(task).toMatchObject({ status: 'failed', error: { code: 'image-corrupt' } })
      expect(task.error!.message).not.toMatch(/vips|\/|libpng/i)
    })

    it.each([0.2, 0.5, 0.9])('%f of a picture', async (keep) => {
      for (const format of ['jpeg', 'png', 'webp', 'avif'] as const) {
        const cut = truncated(await picture({ width: 400, height: 300, format }), keep)
        const response = await place.api.upload(cut, {}, WAIT)
        expect([format, await endOf(response)]).toEqual([format, 'image-corrupt'])
      }
    })

    it('an SVG that refers to files and addresses', async () => {
      const { answer, detail } = await problemOf(await place.api.upload(svg))
      expect([answer, detail]).toEqual(['415 unsupported-image', expect.stringContaining('SVG')])
    })

    it('a JPEG that goes on as HTML is served as a JPEG', async () => {
      const both = Buffer.concat([await picture({ width: 80, height: 60 }), Buffer.from('<script>alert(1)</script>')])
      const task = await place.api.completed(both, { variants: '50x' })
      const { headers } = await place.api.fetch(task.links.original!)
      expect(headers.get('content-type')).toBe('image/jpeg')
      expect(headers.get('content-disposition')).toContain('attachment')
      expect((await place.api.bytes(task.variants[0]!.href)).toString('latin1')).not.toContain('script')
    })

    it(`${FLIPPED} pictures with flipped bits`, { timeout: 60_000 }, async () => {
      const good = [
        await picture({ width: 320, height: 240 }),
        await picture({ width: 160, height: 120, format: 'png', alpha: true }),
        await picture({ width: 160, height: 120, format: 'webp' }),
        await picture({ width: 160, height: 120, format: 'avif' }),
        await animation(3, 'gif'),
        await picture({ width: 160, height: 120, cmyk: true, profile: 'cmyk' }),
      ]
      const ends: string[] = []
      const sendFrom = async (start: number): Promise<void> => {
        for (let seed = start; seed < FLIPPED; seed += AT_ONCE) {
          const flipped = bitFlipped(good[seed % good.length]!, seed)
          const response = await place.api.upload(flipped, { variants: '100x,50x50:cover', format: 'auto' }, WAIT)
          ends.push(`${seed} ${await endOf(response)}`)
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, async (_, start) => await sendFrom(start)))
      expect(ends).toHaveLength(FLIPPED)
      for (const end of ends)
        expect(end).toMatch(/^\d+ (completed|image-corrupt|image-too-many-pixels|unsupported-image)$/)
    })

    it('after all of it a good picture is as good as ever', async () => {
      const task = await place.api.completed(await picture())
      expect(task).toMatchObject({ attempts: 1, warnings: [] })
      expect((await place.api.fetch('/readyz')).status).toBe(200)
    })
  })
}
